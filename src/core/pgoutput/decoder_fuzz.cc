// Fuzzes the decoder and the assembler behind it. The first byte of the input says how:
//   bit 0 clear   the rest is one message; bit 1: as inside a stream block
//   bit 0 set     the rest is a stream: u16 size (big-endian) and a message, again and again;
//                 bit 1: with next to no memory, so that everything is spilled
// tests/fuzz_corpus/decoder_fuzz holds streams recorded from servers, see record.py there.
// Covers: core/pgoutput/decoder.cc core/pgoutput/wire_reader.h

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "core/assembler.h"
#include "core/pgoutput/decoder.h"

namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

/// Touches every byte of the rows, and checks that ordinals have no hole.
void read_rows(const freshet::Item& item, std::uint64_t& ordinal) {
  volatile unsigned sum = 0;
  expect(!item.changes.empty() && item.schema != nullptr);
  for (const freshet::Change& change : item.changes) {
    expect(change.id.ordinal == ordinal++);
    for (const freshet::RowView row : {change.before, change.after}) {
      expect(row.empty() || row.size() == item.schema->columns.size());
      for (const freshet::Value& value : row) {
        for (const char byte : value.view())
          sum = sum + static_cast<unsigned char>(byte);
      }
    }
  }
}

void read_transaction(const freshet::Transaction& transaction) {
  freshet::TransactionReader reader = transaction.read();
  freshet::Piece piece;
  std::uint64_t ordinal = 0;
  std::size_t item_count = 0;
  while (true) {
    const freshet::Result<bool> more = reader.next(piece);
    expect(more.ok());
    if (!*more) break;
    for (const freshet::Item& item : piece.items()) {
      ++item_count;
      if (item.kind == freshet::Item::Kind::rows) read_rows(item, ordinal);
    }
  }
  expect(ordinal == transaction.change_count());
  expect((item_count == 0) == transaction.is_empty());
}

std::string_view take_message(std::string_view& bytes) {
  const auto high = static_cast<unsigned char>(bytes[0]);
  const auto low = static_cast<unsigned char>(bytes[1]);
  const std::size_t size = std::size_t{high} << 8 | low;
  bytes.remove_prefix(2);
  const std::string_view message = bytes.substr(0, size);
  bytes.remove_prefix(message.size());
  return message;
}

void fuzz_stream(std::string_view bytes, std::size_t memory_bytes_max) {
  freshet::MemorySpillStore spill;
  freshet::Assembler assembler{{.memory_bytes_max = memory_bytes_max}, spill};
  std::uint64_t lsn = 0;
  while (bytes.size() >= 2) {
    const std::string_view message = take_message(bytes);
    // A copy of exactly that size: the address sanitizer sees a read past it, or one later on.
    const std::unique_ptr<char[]> copy{new char[message.size()]};
    message.copy(copy.get(), message.size());
    const auto result = assembler.push(freshet::Lsn{++lsn}, {copy.get(), message.size()});
    if (!result.ok()) {
      assembler.reset();
      expect(assembler.memory_bytes() == 0 && assembler.open_transactions() == 0);
    } else if (*result != nullptr) {
      read_transaction(**result);
    }
    expect(assembler.memory_bytes() <= memory_bytes_max);
  }
}

void fuzz_message(std::string_view bytes, freshet::pgoutput::Framing framing) {
  const std::unique_ptr<char[]> copy{new char[bytes.size()]};
  bytes.copy(copy.get(), bytes.size());
  freshet::pgoutput::Decoder decoder;
  const auto message = decoder.decode({copy.get(), bytes.size()}, framing);
  if (!message.ok()) expect(message.error().kind() == freshet::ErrorKind::protocol);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest{reinterpret_cast<const char*>(data) + 1, size - 1};
  const bool is_second = (data[0] & 2U) != 0;
  if ((data[0] & 1U) != 0) {
    fuzz_stream(rest, is_second ? 16 : std::size_t{1} << 16);
  } else {
    using freshet::pgoutput::Framing;
    fuzz_message(rest, is_second ? Framing::in_stream : Framing::plain);
  }
  return 0;
}
