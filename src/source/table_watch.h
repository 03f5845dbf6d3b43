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
  std::uint32_t xmin = 0;      ///< Who gave it that file, or changed its entry since.
  bool was_attached = false;   ///< Became a partition after it was made, so perhaps with rows.
  bool is_unanalysed = false;  ///< As a TRUNCATE leaves it.
  bool is_unlogged = false;    ///< Nothing of it is in the WAL.
  std::string attachments{};   ///< Of a partition, and of those that it is in, outermost first.
  friend bool operator==(const WatchedHeap&, const WatchedHeap&) = default;
};

struct WatchedTable {
  Oid relation{0};                    ///< 0: there is no table of that name.
  std::string published;              ///< Changes with what is published of it; empty: nothing is.
  bool is_published_by_name = false;  ///< Not by a publication of all tables, or of a schema.
  bool can_select = false;            ///< Our role may read it.
  std::string definition;             ///< Changes with the definition of any column.
  std::string columns;                ///< Their names and types in order.
  std::string numbers;                ///< Of the columns, as watch.sql gives them.
  std::map<std::uint32_t, std::string> labels;  ///< Of the columns' enums, by oid.
  std::map<std::uint32_t, WatchedHeap> heaps;   ///< By oid.
  std::string text;                             ///< All of that, as the catalogue's query gave it.
};

/// To be kept, and read back: a line of COPY text each, the table's name first.
std::string to_text(std::span<const TableName> tables, std::span<const WatchedTable> watched);
Result<std::map<TableName, WatchedTable>> parse_watched(std::string_view text);

/// In the order of `tables`.
Result<std::vector<WatchedTable>> look_at_tables(pg::Connection& connection,
                                                 std::span<const TableName> tables,
                                                 std::span<const std::string> publications);

/// What a follower of the stream has come to know of a table.
struct FollowedState {
  std::string definition;  ///< Empty: nothing that could be followed.
  std::string files;       ///< As TableSchema has them; empty: whichever.
};

/// True if whoever follows `current` has come to `state`.
bool has_come_to(const FollowedState& state, const TableSchema& current);

/// What became of a table between two looks.
struct TableNews {
  enum class Kind : std::uint8_t {
    gone,         ///< Dropped, renamed or moved: nothing more is sent under its name.
    unpublished,  ///< No publication has it any more.
    republished,  ///< A publication was altered: more or less of it is sent from now on.
    missed,       ///< Rows came, went or changed that were never sent, and never will be.
    redefined,    ///< Its rows were rewritten under another definition.
    kept_rows,    ///< A partition with its rows went; the destinations still have them.
    suspect,      ///< Its file was written anew, perhaps without a loss.
  };
  Kind kind;
  std::string what;        ///< For people.
  FollowedState answer{};  ///< Who has come to it has answered the news as well.
  /// Where definitions are not captured, a follower may have come to the answer ahead of the
  /// stream, and have written values of before since.
  bool needs_capture = false;
  /// All of it is about a column that was not there: nothing to who leaves new columns out.
  bool is_of_new_column = false;
};

/// One of each kind, the gravest first; none after what has the table copied whatever else there
/// is. Pure.
std::vector<TableNews> compare(const WatchedTable& before, const WatchedTable& now);

}  // namespace freshet::source
