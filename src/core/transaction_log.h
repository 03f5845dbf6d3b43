// The bytes of one transaction: an append-only list of chunks, each a sequence of records, in
// memory or in a spill file. It knows how records are framed, not what they mean.
//
// A record is a RecordHeader in this machine's byte order and `size` bytes of payload:
//   I U D   the pgoutput message from behind the relation's OID
//   T       u8 flags as in pgoutput, then u32 schema indexes in this machine's byte order
//   M       the pgoutput message from behind its [xid]
//   R       nothing: a captured definition, which is the header's schema
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/spill.h"
#include "freshet/lsn.h"
#include "freshet/result.h"
#include "freshet/schema.h"

namespace freshet {

class Transaction;

/// A chunk is closed once it holds that much; only a larger single record makes it larger.
constexpr std::size_t kChunkBytes = std::size_t{256} << 10;

struct RecordHeader {
  Lsn lsn = kNoLsn;
  std::uint32_t size = 0;
  Xid subxid{0};
  std::uint32_t schema_index = 0;
  char type = 0;
  char unused[3] = {};  // Padding, named so that no stray memory goes into a file.
};

struct Record {
  RecordHeader header;
  std::string_view payload;
};

/// What a reader must know of a chunk before reading it, to allocate once.
struct ChunkCounts {
  std::uint32_t rows = 0;
  std::uint32_t values = 0;
  std::uint32_t truncated_tables = 0;
  std::uint32_t records = 0;
};

class TransactionLog {
 public:
  struct Chunk {
    std::vector<char> bytes;  ///< Empty once spilled.
    std::size_t size = 0;
    std::uint64_t spill_offset = 0;
    bool is_spilled = false;
    ChunkCounts counts;
  };

  void append(const RecordHeader& header, std::string_view payload, const ChunkCounts& adds);
  /// Moves all chunks to the spill file, which is created if there is none yet.
  Status spill(SpillStore& store);

  /// The bytes of a chunk: its own, or read into `loaded`.
  Result<std::string_view> load(std::size_t index, std::vector<char>& loaded) const;

  std::span<const Chunk> chunks() const { return chunks_; }

  std::size_t byte_size() const { return byte_size_; }

  std::size_t memory_bytes() const { return memory_bytes_; }

  bool is_spilled() const { return spill_ != nullptr; }

 private:
  std::vector<Chunk> chunks_;
  std::unique_ptr<SpillFile> spill_;
  std::size_t byte_size_ = 0;
  std::size_t memory_bytes_ = 0;
};

/// Takes the next record off the front of a chunk's bytes; nothing if they are malformed.
std::optional<Record> take_record(std::string_view& chunk_bytes);

/// All that a transaction keeps.
struct TransactionContent {
  TransactionLog log;
  std::vector<SchemaPtr> schemas;
  std::vector<Xid> aborted;       ///< Sub-transactions rolled back after rows of them came; sorted.
  std::uint64_t row_count = 0;    ///< Surviving row changes.
  std::uint64_t other_count = 0;  ///< Surviving truncates, messages and definitions.
  std::string origin;
};

}  // namespace freshet
