#include "core/snapshot.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/try.h"

namespace freshet {
namespace {

/// Reads the number that ends at `end` or at the end of `text`, and cuts it off.
std::optional<std::uint64_t> take_number(std::string_view& text, char end) {
  const std::size_t length = std::min(text.find(end), text.size());
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + length, number);
  if (error != std::errc{} || stop != text.data() + length) return {};
  text.remove_prefix(std::min(length + 1, text.size()));
  return number;
}

constexpr std::uint64_t kPageHeaderBytesMax = 40;

Error malformed() {
  return Error{ErrorKind::protocol, "the server sent a snapshot that cannot be read"};
}

}  // namespace

Committed committed_of(const TransactionInfo& info) noexcept {
  return {.xid = info.xid, .commit = info.commit_lsn, .end = info.end_lsn};
}

Result<Snapshot> Snapshot::parse(std::string_view text) {
  Snapshot snapshot;
  if (std::count(text.begin(), text.end(), ':') != 2) return malformed();
  const auto xmin = take_number(text, ':');
  const auto xmax = xmin ? take_number(text, ':') : std::nullopt;
  if (!xmin || !xmax) return malformed();
  snapshot.xmin_ = FullXid{*xmin};
  snapshot.xmax_ = FullXid{*xmax};
  while (!text.empty()) {
    const auto xid = take_number(text, ',');
    if (!xid || *xid < *xmin || *xid >= *xmax) return malformed();
    snapshot.in_progress_.push_back(FullXid{*xid});
  }
  std::sort(snapshot.in_progress_.begin(), snapshot.in_progress_.end());
  return snapshot;
}

Result<Snapshot> Snapshot::parse(std::string_view text, Replayed replayed) {
  FRESHET_TRY(Snapshot snapshot, parse(text));
  snapshot.replayed_ = replayed;
  return snapshot;
}

Sight Snapshot::sight_of(const Committed& transaction) const noexcept {
  const FullXid xid = widen(transaction.xid);
  if (!replayed_) return is_visible(xid) ? Sight::seen : Sight::unseen;
  if (xid < xmin_ || transaction.end <= replayed_->before) return Sight::seen;
  // The record that follows `after`, which may lie behind the header of a page.
  const std::uint64_t next = freshet::to_integer(replayed_->after) + kPageHeaderBytesMax;
  if (xid >= xmax_ || freshet::to_integer(transaction.commit) > next) return Sight::unseen;
  return Sight::unclear;
}

FullXid Snapshot::widen(Xid xid) const noexcept {
  const std::uint64_t xmax = freshet::to_integer(xmax_);
  const std::int64_t distance =
      static_cast<std::int32_t>(freshet::to_integer(xid) - static_cast<std::uint32_t>(xmax));
  // Before the first wrap-around there is nothing below zero: then the xid is a far later one.
  if (distance < 0 && xmax < std::uint64_t{0} - static_cast<std::uint64_t>(distance)) {
    return FullXid{freshet::to_integer(xid)};
  }
  return FullXid{xmax + static_cast<std::uint64_t>(distance)};
}

bool Snapshot::is_visible(Xid xid) const noexcept {
  return is_visible(widen(xid));
}

bool Snapshot::is_visible(FullXid xid) const noexcept {
  if (xid < xmin_) return true;
  if (xid >= xmax_) return false;
  return !std::binary_search(in_progress_.begin(), in_progress_.end(), xid);
}

std::string Snapshot::to_string() const {
  std::string text = std::to_string(freshet::to_integer(xmin_)) + ":" +
                     std::to_string(freshet::to_integer(xmax_)) + ":";
  for (std::size_t i = 0; i < in_progress_.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(freshet::to_integer(in_progress_[i]));
  }
  return text;
}

}  // namespace freshet
