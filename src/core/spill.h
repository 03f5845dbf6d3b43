// Where transactions that do not fit into memory wait. The core only knows this interface.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "freshet/result.h"

namespace freshet {

/// Holds the spilled bytes of one transaction; dropping it frees them. One thread appends; any
/// number of threads may read what was appended before.
class SpillFile {
 public:
  virtual ~SpillFile() = default;
  /// Returns the offset at which `bytes` can be read again. Fails with ErrorKind::storage.
  virtual Result<std::uint64_t> append(std::string_view bytes) = 0;
  /// Fills all of `into` from `offset`. Fails with ErrorKind::storage. Any thread.
  virtual Status read(std::uint64_t offset, std::span<char> into) const = 0;
};

/// Makes spill files. Files may outlive the store. Use from one thread at a time.
class SpillStore {
 public:
  virtual ~SpillStore() = default;
  virtual Result<std::unique_ptr<SpillFile>> create() = 0;
};

/// Keeps spilled bytes in memory: for tests, and for where there is no disk.
class MemorySpillStore final : public SpillStore {
 public:
  Result<std::unique_ptr<SpillFile>> create() override;
};

}  // namespace freshet
