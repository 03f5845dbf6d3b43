#include "core/transaction_log.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/try.h"

namespace freshet {
namespace {

static_assert(std::is_trivially_copyable_v<RecordHeader>);

constexpr std::size_t kFirstChunkBytes = 512;

void append_bytes(std::vector<char>& to, const void* from, std::size_t size) {
  const char* begin = static_cast<const char*>(from);
  to.insert(to.end(), begin, begin + size);
}

void add_counts(ChunkCounts& to, const ChunkCounts& adds) {
  to.rows += adds.rows;
  to.values += adds.values;
  to.truncated_tables += adds.truncated_tables;
  to.records += adds.records;
}

}  // namespace

void TransactionLog::append(const RecordHeader& header,
                            std::string_view payload,
                            const ChunkCounts& adds) {
  const std::size_t size = sizeof(RecordHeader) + payload.size();
  if (chunks_.empty() || chunks_.back().is_spilled || chunks_.back().size + size > kChunkBytes) {
    // Most transactions are small: only the second chunk takes a whole chunk's memory at once.
    const std::size_t capacity = chunks_.empty() ? kFirstChunkBytes : kChunkBytes;
    chunks_.emplace_back().bytes.reserve(std::max(size, capacity));
    memory_bytes_ += chunks_.back().bytes.capacity();
  }
  Chunk& chunk = chunks_.back();
  const std::size_t capacity = chunk.bytes.capacity();
  append_bytes(chunk.bytes, &header, sizeof(header));
  append_bytes(chunk.bytes, payload.data(), payload.size());
  memory_bytes_ += chunk.bytes.capacity() - capacity;
  chunk.size += size;
  byte_size_ += size;
  add_counts(chunk.counts, adds);
}

Status TransactionLog::spill(SpillStore& store) {
  if (spill_ == nullptr) {
    FRESHET_TRY(spill_, store.create());
  }
  for (Chunk& chunk : chunks_) {
    if (chunk.is_spilled) continue;
    FRESHET_TRY(chunk.spill_offset, spill_->append({chunk.bytes.data(), chunk.bytes.size()}));
    memory_bytes_ -= chunk.bytes.capacity();
    std::vector<char>{}.swap(chunk.bytes);
    chunk.is_spilled = true;
  }
  return ok_status();
}

Result<std::string_view> TransactionLog::load(std::size_t index, std::vector<char>& loaded) const {
  const Chunk& chunk = chunks_[index];
  if (!chunk.is_spilled) return std::string_view{chunk.bytes.data(), chunk.bytes.size()};
  loaded.resize(chunk.size);
  FRESHET_TRY(spill_->read(chunk.spill_offset, loaded));
  return std::string_view{loaded.data(), loaded.size()};
}

std::optional<Record> take_record(std::string_view& chunk_bytes) {
  Record record;
  if (chunk_bytes.size() < sizeof(RecordHeader)) return std::nullopt;
  std::memcpy(&record.header, chunk_bytes.data(), sizeof(RecordHeader));
  chunk_bytes.remove_prefix(sizeof(RecordHeader));
  if (chunk_bytes.size() < record.header.size) return std::nullopt;
  record.payload = chunk_bytes.substr(0, record.header.size);
  chunk_bytes.remove_prefix(record.header.size);
  return record;
}

}  // namespace freshet
