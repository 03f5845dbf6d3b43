// The identifiers of PostgreSQL's log and catalogue, as types that cannot be mixed up.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// A byte position in the source's write-ahead log.
enum class Lsn : std::uint64_t {};
/// An object identifier of the source's catalogue.
enum class Oid : std::uint32_t {};
/// A 32-bit transaction id as pgoutput sends it; its epoch is not known from it alone.
enum class Xid : std::uint32_t {};

constexpr Lsn kNoLsn{0};

constexpr std::uint64_t to_integer(Lsn lsn) noexcept {
  return static_cast<std::uint64_t>(lsn);
}

constexpr std::uint32_t to_integer(Oid oid) noexcept {
  return static_cast<std::uint32_t>(oid);
}

constexpr std::uint32_t to_integer(Xid xid) noexcept {
  return static_cast<std::uint32_t>(xid);
}

/// PostgreSQL's text form, e.g. "16/B374D848".
std::string to_string(Lsn lsn);
/// Reads PostgreSQL's text form; nothing if it is malformed.
std::optional<Lsn> parse_lsn(std::string_view text) noexcept;

/// Orders and identifies a change: the LSN of its transaction's commit, then its place among the
/// transaction's surviving row changes, from 0. Rows of one COPY share one LSN: this tells them
/// apart.
struct ChangeId {
  Lsn commit = kNoLsn;
  std::uint64_t ordinal = 0;
  friend constexpr auto operator<=>(const ChangeId&, const ChangeId&) = default;
};

/// Progress: the *end* LSN of a transaction, or a keepalive's walEnd. A transaction is skipped iff
/// its end LSN <= position. (The next transaction's commit LSN can equal this one's end LSN.)
struct Position {
  Lsn end = kNoLsn;
  friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

/// Microseconds since 2000-01-01 00:00 UTC, PostgreSQL's epoch, by the source's clock.
enum class SourceTime : std::int64_t {};

constexpr std::int64_t to_integer(SourceTime time) noexcept {
  return static_cast<std::int64_t>(time);
}

/// Microseconds between 1970-01-01 and 2000-01-01.
constexpr std::int64_t kPostgresEpochUnixMicros = 946'684'800'000'000;

}  // namespace freshet
