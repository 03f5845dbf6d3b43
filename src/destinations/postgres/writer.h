// Turns the runs of a group into statements, in an open transaction.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "destinations/postgres/encoding.h"
#include "destinations/postgres/session.h"
#include "destinations/postgres/target.h"
#include "freshet/arena.h"
#include "freshet/destination.h"

namespace freshet::postgres {

/// How much is presumed about a group; each step down is tried when the one before met a conflict.
enum class Effort : std::uint8_t {
  copied,   ///< Sets of rows; new rows by COPY.
  as_sets,  ///< Sets of rows.
  ordered,  ///< Row by row in the source's order.
  by_row,   ///< The same, and one that fails fails alone: row_by_row.h, not this file.
};

/// Queues statements on a session that is in pipeline mode. One thread.
class GroupWriter {
 public:
  GroupWriter(Session& session, TargetCache& targets) : session_(session), targets_(targets) {}

  /// Sends everything that `runs` come to. Whether it worked is known at the next sync.
  Status write(std::span<const Run> runs, Effort effort);
  /// Forgets what a failed write left behind.
  void clear();

  /// Tables touched since take_touched().
  std::set<std::string> take_touched() { return std::exchange(touched_, {}); }

  /// Rows that must be many enough for COPY to pay, with its own round trips.
  static constexpr std::size_t kCopyRowsMin = 200;

 private:
  Status write_changes(Target& target, std::span<const Change> changes, Effort effort);
  Status net_change(Target& target, const Change& change, Effort effort);
  Status truncate(const Run& run);

  // One change by itself, in source order.
  Status write_ordered(Target& target, const Change& change);
  Status update_ordered(Target& target, const Change& change);

  // What was netted.
  Status flush_all(Effort effort);
  Status flush(Target& target, Effort effort);
  Status flush_removed(Target& target);
  Status flush_put(Target& target, Effort effort);
  Status flush_changed(Target& target);
  Status flush_rows(Target& target, Effort effort);
  Status remove_rows(Target& target);
  /// How COPY takes copied_; `none` where it does not, or does not pay.
  enum class CopyForm : std::uint8_t { none, text, binary };
  CopyForm copy_form(const Target& target) const;
  Status copy(Target& target, CopyForm form);

  struct RowRef {
    RowView key;
    RowView row;
    Lsn lsn = kNoLsn;
    std::uint64_t expected = 0;
  };

  /// Sends `rows_` as sets, or a single one by value.
  Status send_rows(Target& target, Shape many, Shape one, const std::vector<std::uint16_t>& set);
  Status send_one(Target& target,
                  Shape shape,
                  const std::vector<std::uint16_t>& set,
                  const RowRef& row);
  Status send_chunk(Target& target,
                    Shape shape,
                    const std::vector<std::uint16_t>& set,
                    std::span<const RowRef> rows);

  /// Notes the form of a value that is about to be sent, so that one column has one form in a
  /// statement. True if it goes in binary form.
  Result<bool> note_form(const Target& target, std::uint16_t column, const Value& value, Lsn lsn);
  void begin_forms(const Target& target, const std::vector<std::uint16_t>& set);

  enum class Form : std::uint8_t { unknown, text, binary };

  Session& session_;
  TargetCache& targets_;
  std::vector<Target*> pending_;
  std::set<std::string> touched_;

  // Reused from group to group.
  std::vector<RowRef> rows_;
  std::vector<RowView> copied_;
  std::vector<ValueArray> arrays_;
  RowParameters row_;
  std::vector<Form> forms_;  // by column, of the statement in the making
  ColumnSets sets_;
  std::vector<pg::Parameter> parameters_;
  std::string copy_buffer_;
  Arena filled_{std::size_t{64} << 10};
};

/// Writes the runs under a savepoint of the open transaction: all of them, or nothing. The session
/// is in plain mode before and afterwards.
Status write_apart(Session& session, GroupWriter& writer, std::span<const Run> runs, Effort effort);

}  // namespace freshet::postgres
