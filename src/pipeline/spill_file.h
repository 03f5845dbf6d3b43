// Spill files on disk, for transactions too large for memory. The files have no name: when the
// process ends, however it ends, their space is free again.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "core/spill.h"
#include "freshet/result.h"

namespace freshet {

/// Makes spill files in one directory. Use from one thread at a time; see SpillFile for its files.
class DiskSpillStore final : public SpillStore {
 public:
  /// Creates the directory if it is missing, for this user only. Fails with ErrorKind::storage.
  static Result<std::unique_ptr<DiskSpillStore>> open(std::string directory);

  Result<std::unique_ptr<SpillFile>> create() override;

 private:
  explicit DiskSpillStore(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_;
};

}  // namespace freshet
