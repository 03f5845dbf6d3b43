// A spill store in memory that fails as it is told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "core/spill.h"

namespace freshet::testing {

/// `at` says which call fails first, or what a read damages. Its files may outlive it.
class FaultySpillStore final : public SpillStore {
 public:
  enum class Fault : std::uint8_t { none, create, append, damage };

  FaultySpillStore(Fault fault, unsigned at) : state_(std::make_shared<State>(State{fault, at})) {}

  Result<std::unique_ptr<SpillFile>> create() override {
    if (state_->fails(Fault::create)) return Error{ErrorKind::storage, "no file"};
    auto file = memory_.create();
    if (!file.ok()) return file;
    return std::unique_ptr<SpillFile>{std::make_unique<File>(std::move(file).value(), state_)};
  }

  bool is_damaged() const { return state_->fault == Fault::damage; }

  bool may_fail() const { return state_->fault == Fault::create || state_->fault == Fault::append; }

 private:
  struct State {
    Fault fault;
    unsigned left;

    bool fails(Fault of) { return fault == of && (left == 0 || --left == 0); }
  };

  class File final : public SpillFile {
   public:
    File(std::unique_ptr<SpillFile> file, std::shared_ptr<State> state)
        : file_(std::move(file)), state_(std::move(state)) {}

    Result<std::uint64_t> append(std::string_view bytes) override {
      if (state_->fails(Fault::append)) return Error{ErrorKind::storage, "disk full"};
      return file_->append(bytes);
    }

    Status read(std::uint64_t offset, std::span<char> into) const override {
      if (state_->fault != Fault::damage) return file_->read(offset, into);
      // Either the file is too short, or one of its bytes is another.
      if (state_->left % 8 == 0) return file_->read(offset + 1, into);
      const Status status = file_->read(offset, into);
      if (!into.empty()) into[state_->left % into.size()] ^= static_cast<char>(1 + state_->left);
      return status;
    }

   private:
    std::unique_ptr<SpillFile> file_;
    std::shared_ptr<State> state_;
  };

  MemorySpillStore memory_;
  std::shared_ptr<State> state_;
};

}  // namespace freshet::testing
