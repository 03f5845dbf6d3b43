#include "pipeline/range_feed.h"

#include <algorithm>

#include "base/try.h"
#include "types/copy_text.h"
#include "types/table_error.h"

namespace freshet {

Result<std::unique_ptr<RangeFeed>> RangeFeed::open(const ShapePtr& shape,
                                                   const RangeId& range,
                                                   std::span<Lane* const> lanes) {
  auto feed = std::unique_ptr<RangeFeed>(new RangeFeed(shape, range.table));
  for (Lane* lane : lanes)
    FRESHET_TRY(feed->add(*lane, range));
  return feed;
}

Status RangeFeed::add(Lane& lane, const RangeId& range) {
  const Traits traits = lane.destination().traits();
  Writer writer{.lane = &lane, .turn = {}, .writer = nullptr, .is_raw = false};
  if (!traits.copies_concurrently) writer.turn = std::unique_lock(lane.copy_mutex());
  writer.is_raw = traits.takes_raw_copy && shape_->transforms.empty();
  auto opened = lane.destination().begin_range(shape_->output, range);
  if (!opened.ok()) return refused(lane, std::move(opened).error());
  writer.writer = std::move(opened).value();
  writers_.push_back(std::move(writer));
  return ok_status();
}

// The error of a destination, which knows neither its own name nor, always, the table.
Error RangeFeed::refused(const Lane& lane, Error error) const {
  return naming(std::move(error), table_).with("destination", lane.name());
}

Status RangeFeed::parse(std::string_view lines) {
  const std::size_t width = shape_->projected->columns.size();
  rows_.clear();
  arena_.clear();
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size() - 1);
    const std::span<Value> fields = arena_.array<Value>(width);
    FRESHET_TRY(split_copy_row(lines.substr(0, end + 1), fields, arena_));
    Change& row = rows_.emplace_back();
    row.after = fields;
    lines.remove_prefix(end + 1);
  }
  for (std::size_t i = 0; i < shape_->transforms.size(); ++i) {
    FRESHET_TRY(shape_->transforms[i]->apply(*shape_->transform_inputs[i], rows_, arena_));
  }
  return ok_status();
}

Status RangeFeed::write(std::string_view lines) {
  const bool needs_rows =
      std::any_of(writers_.begin(), writers_.end(), [](const Writer& w) { return !w.is_raw; });
  if (needs_rows) FRESHET_TRY(parse(lines));
  for (Writer& writer : writers_) {
    Status status = writer.is_raw ? writer.writer->raw_rows(lines) : writer.writer->rows(rows_);
    if (!status.ok()) return refused(*writer.lane, std::move(status).error());
  }
  return ok_status();
}

Status RangeFeed::take(std::string_view lines) {
  Status status = write(lines);
  if (!status.ok()) {
    has_failed_ = true;
    return naming(std::move(status).error(), table_);
  }
  const auto rows = static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
  for (Writer& writer : writers_)
    writer.lane->count_copied(table_, rows, lines.size());
  return status;
}

Status RangeFeed::finish() {
  for (Writer& writer : writers_) {
    Status status = writer.writer->finish();
    if (!status.ok()) {
      has_failed_ = true;
      return refused(*writer.lane, std::move(status).error());
    }
  }
  return ok_status();
}

}  // namespace freshet
