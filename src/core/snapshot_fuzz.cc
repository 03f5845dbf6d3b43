// Fuzzes what is read from the server's text: snapshots and LSNs. The first byte chooses.
// Covers: core/snapshot.cc base/lsn.cc

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/testing/fuzz_input.h"
#include "base/try.h"
#include "core/snapshot.h"
#include "freshet/lsn.h"

namespace {

using freshet::testing::FuzzInput;

constexpr std::uint64_t kHalfCycle = std::uint64_t{1} << 31;

/// Whether the snapshot of that text sees `xid`, from the text alone.
bool is_listed(std::string_view list, std::uint64_t xid) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (std::stoull(std::string{list.substr(0, comma)}) == xid) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

void check_widened(const freshet::Snapshot& snapshot, freshet::Xid xid) {
  const std::uint64_t wide = to_integer(snapshot.widen(xid));
  const std::uint64_t xmax = to_integer(snapshot.xmax());
  FRESHET_CHECK(static_cast<std::uint32_t>(wide) == to_integer(xid));
  FRESHET_CHECK(snapshot.is_visible(xid) == snapshot.is_visible(freshet::FullXid{wide}));
  // At the ends of the numbers there is no nearest one on the other side.
  if (xmax < kHalfCycle || xmax > ~std::uint64_t{0} - kHalfCycle) return;
  FRESHET_CHECK(std::max(wide, xmax) - std::min(wide, xmax) <= kHalfCycle);
}

void check_snapshot(std::string_view text, std::uint64_t probe) {
  const auto snapshot = freshet::Snapshot::parse(text);
  if (!snapshot.ok()) {
    FRESHET_CHECK(snapshot.error().kind() == freshet::ErrorKind::protocol);
    return;
  }
  const auto again = freshet::Snapshot::parse(snapshot->to_string());
  FRESHET_CHECK(again.ok() && again->to_string() == snapshot->to_string());
  const std::uint64_t xmin = to_integer(snapshot->xmin());
  const std::uint64_t xmax = to_integer(snapshot->xmax());
  const std::string_view list = text.substr(text.rfind(':') + 1);
  for (const std::uint64_t xid : {probe, xmin - 1, xmin, xmin + probe % 8, xmax - 1, xmax}) {
    const bool expected = xid < xmin || (xid < xmax && !is_listed(list, xid));
    FRESHET_CHECK(snapshot->is_visible(freshet::FullXid{xid}) == expected);
    FRESHET_CHECK(again->is_visible(freshet::FullXid{xid}) == expected);
    check_widened(*snapshot, freshet::Xid{static_cast<std::uint32_t>(xid)});
  }
}

/// A well-formed snapshot; its list is in no order.
std::string make_snapshot(FuzzInput& in) {
  const std::uint64_t xmin = in.flip() ? in.integer() : in.byte();
  const std::uint64_t xmax = xmin + std::min<std::uint64_t>(in.byte(), ~xmin);
  std::string text = std::to_string(xmin) + ":" + std::to_string(xmax) + ":";
  for (unsigned left = in.below(8); left > 0 && xmin < xmax; --left)
    text += std::to_string(xmin + in.byte() % (xmax - xmin)) + (left > 1 ? "," : "");
  FRESHET_CHECK(freshet::Snapshot::parse(text).ok());
  return text;
}

/// What a transaction did is seen, unseen or unclear, by xid and, on a standby, by LSN.
void check_sight(FuzzInput& in) {
  const std::string text = make_snapshot(in);
  const auto plain = freshet::Snapshot::parse(text);
  FRESHET_CHECK(!plain->replayed());
  const std::uint64_t base = in.integer() >> 1;
  const std::uint64_t before = base + in.byte();
  const std::uint64_t after = before + in.byte();
  const auto replayed = freshet::Snapshot::parse(
      text, {.before = freshet::Lsn{before}, .after = freshet::Lsn{after}});
  FRESHET_CHECK(replayed.ok() && replayed->replayed());
  freshet::TransactionInfo info;
  info.xid = freshet::Xid{static_cast<std::uint32_t>(to_integer(plain->xmin()) + in.byte() - 8)};
  info.commit_lsn = freshet::Lsn{base + 2 * std::uint64_t{in.byte()}};
  info.end_lsn = freshet::Lsn{to_integer(info.commit_lsn) + in.byte()};
  const freshet::Committed transaction = freshet::committed_of(info);
  using freshet::Sight;
  const std::uint64_t xid = to_integer(plain->widen(info.xid));
  const bool is_visible = plain->is_visible(info.xid);
  FRESHET_CHECK(plain->sight_of(transaction) == (is_visible ? Sight::seen : Sight::unseen));
  constexpr std::uint64_t kPageHeaderMax = 40;
  Sight expected = Sight::unclear;
  if (xid >= to_integer(plain->xmax())) expected = Sight::unseen;
  if (to_integer(transaction.commit) > after + kPageHeaderMax) expected = Sight::unseen;
  if (xid < to_integer(plain->xmin())) expected = Sight::seen;
  if (to_integer(transaction.end) <= before) expected = Sight::seen;
  FRESHET_CHECK(replayed->sight_of(transaction) == expected);
}

std::optional<std::uint64_t> hexadecimal_half(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
    return {};
  }
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
  if (text.size() > 8) return {};
  return std::stoull(std::string{text}, nullptr, 16);
}

void check_lsn(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto high = hexadecimal_half(text.substr(0, slash));
  const auto low = hexadecimal_half(text.substr(std::min(slash + 1, text.size())));
  const auto lsn = freshet::parse_lsn(text);
  FRESHET_CHECK(lsn.has_value() == (high && low));
  if (!lsn) return;
  FRESHET_CHECK(to_integer(*lsn) == (*high << 32 | *low));
  FRESHET_CHECK(freshet::parse_lsn(freshet::to_string(*lsn)) == lsn);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput in{data, size};
  switch (in.below(5)) {
    case 0: {
      const std::uint64_t probe = in.integer();
      check_snapshot(in.rest(), probe);
      break;
    }
    case 1: {
      const std::uint64_t probe = in.integer();
      check_snapshot(make_snapshot(in), probe);
      break;
    }
    case 2:
      check_lsn(in.rest());
      break;
    case 3:
      check_sight(in);
      break;
    default:
      check_lsn(freshet::to_string(freshet::Lsn{in.integer()}));
  }
  return 0;
}
