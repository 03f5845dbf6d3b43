#include "core/spill.h"

#include <cstring>
#include <mutex>
#include <string>

namespace freshet {
namespace {

class MemorySpillFile final : public SpillFile {
 public:
  Result<std::uint64_t> append(std::string_view bytes) override {
    const std::lock_guard lock{mutex_};
    const std::uint64_t offset = bytes_.size();
    bytes_.append(bytes);
    return offset;
  }

  Status read(std::uint64_t offset, std::span<char> into) const override {
    const std::lock_guard lock{mutex_};
    if (offset > bytes_.size() || into.size() > bytes_.size() - offset) {
      return Error{ErrorKind::storage, "spilled bytes end too early"};
    }
    if (!into.empty()) std::memcpy(into.data(), bytes_.data() + offset, into.size());
    return ok_status();
  }

 private:
  mutable std::mutex mutex_;  // Guards bytes_: a reader may come while another stretch is appended.
  std::string bytes_;
};

}  // namespace

Result<std::unique_ptr<SpillFile>> MemorySpillStore::create() {
  return std::unique_ptr<SpillFile>{std::make_unique<MemorySpillFile>()};
}

}  // namespace freshet
