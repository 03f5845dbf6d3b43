#include "destinations/contract/faulty_destination.h"

#include <thread>
#include <utility>

#include "base/try.h"

namespace freshet {

void FaultPlan::reject(Error error, unsigned count) {
  const std::lock_guard lock(mutex_);
  rejection_.emplace(std::move(error), count);
}

void FaultPlan::fail_after_write(Error error, unsigned count) {
  const std::lock_guard lock(mutex_);
  failure_.emplace(std::move(error).in_doubt(), count);
}

void FaultPlan::hold() {
  const std::lock_guard lock(mutex_);
  is_holding_ = true;
}

void FaultPlan::let_go() {
  const std::lock_guard lock(mutex_);
  is_holding_ = false;
  changed_.notify_all();
}

void FaultPlan::slow_down(std::chrono::milliseconds delay) {
  const std::lock_guard lock(mutex_);
  delay_ = delay;
}

unsigned FaultPlan::write_count() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

bool FaultPlan::wait_until_held(std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return held_ > 0; });
}

std::optional<Error> FaultPlan::take(std::optional<Fault>& fault) {
  if (!fault || fault->count == 0) return {};
  --fault->count;
  return fault->error;
}

std::optional<Error> FaultPlan::before_write() {
  std::unique_lock lock(mutex_);
  ++writes_;
  if (is_holding_) {
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_holding_; });
    --held_;
  }
  const std::chrono::milliseconds delay = delay_;
  std::optional<Error> error = take(rejection_);
  lock.unlock();
  std::this_thread::sleep_for(delay);
  return error;
}

std::optional<Error> FaultPlan::after_write() {
  const std::lock_guard lock(mutex_);
  return take(failure_);
}

class FaultyDestination::FaultyRangeWriter final : public RangeWriter {
 public:
  FaultyRangeWriter(std::unique_ptr<RangeWriter> inner, std::shared_ptr<FaultPlan> plan)
      : inner_(std::move(inner)), plan_(std::move(plan)) {}

  Status rows(std::span<const Change> rows) override { return inner_->rows(rows); }

  Status raw_rows(std::string_view copy_text) override { return inner_->raw_rows(copy_text); }

  Status finish() override {
    if (auto error = plan_->before_write()) return *std::move(error);
    FRESHET_TRY(inner_->finish());
    if (auto error = plan_->after_write()) return *std::move(error);
    return ok_status();
  }

 private:
  std::unique_ptr<RangeWriter> inner_;
  std::shared_ptr<FaultPlan> plan_;
};

FaultyDestination::FaultyDestination(std::unique_ptr<Destination> inner,
                                     std::shared_ptr<FaultPlan> plan)
    : inner_(std::move(inner)), plan_(std::move(plan)) {}

Traits FaultyDestination::traits() const {
  return inner_->traits();
}

Result<DestinationState> FaultyDestination::open(const Lease& lease) {
  return inner_->open(lease);
}

Status FaultyDestination::adopt_slot(const SlotIdentity& slot, Position start) {
  return inner_->adopt_slot(slot, start);
}

Status FaultyDestination::forget_slot() {
  return inner_->forget_slot();
}

Status FaultyDestination::prepare_table(const SchemaPtr& schema) {
  return inner_->prepare_table(schema);
}

Status FaultyDestination::reset_table(const SchemaPtr& schema) {
  return inner_->reset_table(schema);
}

Result<std::unique_ptr<RangeWriter>> FaultyDestination::begin_range(const SchemaPtr& schema,
                                                                    const RangeId& range) {
  FRESHET_TRY(auto writer, inner_->begin_range(schema, range));
  return std::unique_ptr<RangeWriter>(
      std::make_unique<FaultyRangeWriter>(std::move(writer), plan_));
}

Status FaultyDestination::finish_copy(const SchemaPtr& schema) {
  return inner_->finish_copy(schema);
}

Status FaultyDestination::add_objects(const TableName& table,
                                      std::span<const TableObject> objects) {
  return inner_->add_objects(table, objects);
}

Status FaultyDestination::evolve(const SchemaPtr& from, const SchemaPtr& to) {
  return inner_->evolve(from, to);
}

Result<Position> FaultyDestination::write(const Group& group, Durability durability) {
  if (auto error = plan_->before_write()) return *std::move(error);
  FRESHET_TRY(const Position durable, inner_->write(group, durability));
  if (auto error = plan_->after_write()) return *std::move(error);
  return durable;
}

Status FaultyDestination::close(std::chrono::steady_clock::time_point deadline) {
  return inner_->close(deadline);
}

}  // namespace freshet
