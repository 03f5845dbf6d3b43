// What can happen to a table without the stream telling of it: noticed by looking at the catalogue
// now and then.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "freshet/lsn.h"
#include "freshet/result.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::source {

/// One heap of a table: itself, or a leaf of a partitioned one.
struct WatchedHeap {
  std::uint32_t relfilenode = 0;
  bool was_attached = false;   ///< Became a partition after it was made, so perhaps with rows.
  bool is_unanalysed = false;  ///< As a TRUNCATE leaves it.
  friend bool operator==(const WatchedHeap&, const WatchedHeap&) = default;
};

struct WatchedTable {
  Oid relation{0};  ///< 0: there is no table of that name.
  bool is_published = false;
  std::string definition;                      ///< Changes with the definition of any column.
  std::string columns;                         ///< Their names and types in order.
  std::string numbers;                         ///< Their attribute numbers.
  std::map<std::uint32_t, WatchedHeap> heaps;  ///< By oid.
};

/// In the order of `tables`.
Result<std::vector<WatchedTable>> look_at_tables(pg::Connection& connection,
                                                 std::span<const TableName> tables,
                                                 std::span<const std::string> publications);

/// What became of a table between two looks.
struct TableNews {
  enum class Kind : std::uint8_t {
    gone,         ///< Dropped, renamed or moved: nothing more is sent under its name.
    unpublished,  ///< No publication has it any more.
    changed,      ///< Rows came, went or got other values unsent: it must be copied again.
    kept_rows,    ///< A partition with its rows went; the destination still has them.
  };
  Kind kind;
  std::string what;  ///< For people.
};

/// The gravest news, if any. Pure.
std::optional<TableNews> compare(const WatchedTable& before, const WatchedTable& now);

}  // namespace freshet::source
