#include "destinations/postgres/writer.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "base/big_endian.h"
#include "base/sql_quote.h"
#include "base/try.h"
#include "types/copy_text.h"
#include "types/table_error.h"
#include "types/whole_row.h"

namespace freshet::postgres {
namespace {

// A set's rows lie in the server's memory twice (arrays, then the function's rows): kept well under
// its work_mem.
constexpr std::size_t kChunkRowsMax = 4096;
constexpr std::size_t kChunkBytesMax = std::size_t{2} << 20;
constexpr std::size_t kCopyBufferBytes = std::size_t{64} << 10;

Error undeliverable(const Target& target, Lsn lsn, std::string message) {
  return Error{ErrorKind::data, std::move(message)}
      .with("table", to_string(target.schema->name))
      .with("lsn", to_string(lsn));
}

// Not all in one form, or in one that cannot be written.
Error odd_form(const Target& target, std::uint16_t column, const Value& value, Lsn lsn) {
  if (value.is_unchanged()) {
    return undeliverable(target, lsn,
                         "a value that the source did not send is needed to write the row")
        .with("reason", kLacksValues);
  }
  return undeliverable(target, lsn,
                       "values in binary form do not fit the type that the column has here")
      .with("column", target.schema->columns[column].name)
      .fix("remove source.binary, or give the column the source's type");
}

// Whether a binary COPY takes the value as it is.
bool is_copied_as(const TargetColumn& column, const Value& value) {
  if (value.is_null()) return true;
  if (value.kind == ValueKind::binary && !column.comes_as_text) return column.binary.is_direct;
  const bool is_text = value.kind == ValueKind::text || column.comes_as_text;
  return is_text && (column.is_raw_text || (column.comes_as_text && column.binary.is_direct));
}

// The same for all values, given that those of one column have one form.
bool can_copy_binary(const Target& target, std::span<const RowView> rows) {
  if (!target.takes_binary_copy) return false;
  return std::all_of(target.all.begin(), target.all.end(), [&](std::uint16_t place) {
    const auto found =
        std::find_if(rows.begin(), rows.end(), [&](RowView row) { return !row[place].is_null(); });
    return found == rows.end() || is_copied_as(target.columns[place], (*found)[place]);
  });
}

/// One tuple of COPY … (FORMAT binary): int16 fields, then for each int32 size (-1: NULL) and
/// bytes.
Status append_binary_row(const Target& target, RowView row, std::string& out) {
  append_big_endian(out, static_cast<std::uint16_t>(row.size()));
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!is_copied_as(target.columns[i], row[i]))
      return Error{ErrorKind::data,
                   "a value is not in the form that the others of its column have"};
    append_big_endian(out, row[i].is_null() ? 0xFFFFFFFFU : row[i].size);
    if (row[i].is_null()) continue;
    out.append(row[i].data, row[i].size);
    if (row[i].kind == ValueKind::binary)
      set_element_type(std::span{out}.last(row[i].size), target.columns[i].binary.element);
  }
  return ok_status();
}

/// The columns of a row that a statement takes, beside the key of the row that it looks for.
const std::vector<std::uint16_t>& columns_of(const Target& target,
                                             Shape shape,
                                             const std::vector<std::uint16_t>& set) {
  switch (shape) {
    case Shape::change_many:
    case Shape::change_one:
      return set;
    case Shape::remove_many:
    case Shape::remove_one:
      return target.key;
    case Shape::remove_row:
    case Shape::remove_rows:
      return target.compared;
    case Shape::put_many:
    case Shape::put_one:
    case Shape::add_many:
    case Shape::add_one:
    case Shape::move_one:
      break;
  }
  return target.all;
}

}  // namespace

Status GroupWriter::write(std::span<const Run> runs, Effort effort) {
  for (const Run& run : runs) {
    if (!run.truncated.empty()) {
      FRESHET_TRY(flush_all(effort));
      FRESHET_TRY(truncate(run));
      continue;
    }
    if (run.changes.empty()) continue;
    Target& target = targets_.at(run.schema.get());
    touched_.insert(to_string(run.schema->name));
    FRESHET_TRY(write_changes(target, run.changes, effort));
  }
  return flush_all(effort);
}

void GroupWriter::clear() {
  for (Target* target : pending_) {
    target->net.clear();
    target->net_rows.clear();
    target->is_pending = false;
  }
  pending_.clear();
  rows_.clear();
}

Status GroupWriter::write_changes(Target& target, std::span<const Change> changes, Effort effort) {
  const bool is_by_row = target.addressing == Addressing::ordered ||
                         (target.addressing == Addressing::netted && effort == Effort::ordered);
  if (is_by_row) {
    for (const Change& change : changes)
      FRESHET_TRY(write_ordered(target, change));
    return ok_status();
  }
  if (!target.is_pending) {
    // Two versions of one table in a group: what the first was netted to goes first.
    const auto is_same_table = [&](const Target* other) {
      return other->table_sql == target.table_sql;
    };
    if (std::any_of(pending_.begin(), pending_.end(), is_same_table))
      FRESHET_TRY(flush_all(effort));
    target.is_pending = true;
    pending_.push_back(&target);
  }
  for (const Change& change : changes)
    FRESHET_TRY(net_change(target, change, effort));
  return ok_status();
}

Status GroupWriter::net_change(Target& target, const Change& change, Effort effort) {
  switch (target.addressing) {
    case Addressing::netted:
      if (target.net.add(change)) return ok_status();
      FRESHET_TRY(flush(target, effort));
      return write_ordered(target, change);
    case Addressing::whole_row:
      target.net_rows.add(change);
      return ok_status();
    case Addressing::none:
      if (change.op == Op::insert || change.op == Op::upsert) {
        target.net_rows.append(change.after, change.lsn);
        return ok_status();
      }
      return undeliverable(target, change.lsn, "an update or delete of a table without identity");
    case Addressing::ordered:
      return write_ordered(target, change);
  }
  return ok_status();
}

Status GroupWriter::truncate(const Run& run) {
  std::string tables;
  for (const SchemaPtr& schema : run.truncated) {
    if (!tables.empty()) tables += ", ";
    tables += targets_.at(schema.get()).rows_sql;
    touched_.insert(to_string(schema->name));
  }
  const std::string sql =
      fmt::format("TRUNCATE {}{}", tables, run.restarts_identity ? " RESTART IDENTITY" : "");
  Session::Purpose purpose;
  purpose.truncated = run.truncated.front().get();
  return session_.send(sql.c_str(), purpose);
}

Status GroupWriter::write_ordered(Target& target, const Change& change) {
  filled_.clear();
  switch (change.op) {
    case Op::insert:
      return send_one(target, Shape::put_one, {}, {{}, change.after, change.lsn});
    case Op::upsert:
    case Op::update:
      return update_ordered(target, change);
    case Op::remove:
      return send_one(target, Shape::remove_one, {}, {change.before, {}, change.lsn, 1});
  }
  return ok_status();
}

Status GroupWriter::update_ordered(Target& target, const Change& change) {
  const RowView after = fill_unchanged(change, target.key, filled_);
  const RowView key = change.before.empty() ? after : change.before;
  const bool has_moved = !change.before.empty() && !same_values(change.before, after, target.key);
  const RowRef row{key, after, change.lsn};
  if (!has_unchanged(after)) {
    return send_one(target, has_moved ? Shape::move_one : Shape::put_one, {}, row);
  }
  std::vector<std::uint16_t> sent;
  for (const std::uint16_t column : target.all) {
    const bool is_set = has_moved || !target.columns[column].is_key;
    if (is_set && !after[column].is_unchanged()) sent.push_back(column);
  }
  if (sent.empty()) return ok_status();  // Nothing but the key came: nothing changed.
  return send_one(target, Shape::change_one, sent, row);
}

Status GroupWriter::flush_all(Effort effort) {
  for (Target* target : pending_)
    FRESHET_TRY(flush(*target, effort));
  for (Target* target : pending_)
    target->is_pending = false;
  pending_.clear();
  return ok_status();
}

Status GroupWriter::flush(Target& target, Effort effort) {
  if (!target.net_rows.empty()) {
    FRESHET_TRY(flush_rows(target, effort));
    target.net_rows.clear();
  }
  if (target.net.empty()) return ok_status();
  FRESHET_TRY(flush_removed(target));
  FRESHET_TRY(flush_put(target, effort));
  FRESHET_TRY(flush_changed(target));
  target.net.clear();
  return ok_status();
}

// Deletes go first: a row that left a key, or a value of another unique index, makes room for the
// one that comes.
Status GroupWriter::flush_removed(Target& target) {
  rows_.clear();
  for (const NetChanges::Entry& entry : target.net.entries()) {
    if (entry.kind != NetChanges::Kind::removed) continue;
    rows_.push_back({entry.key, {}, entry.lsn, entry.is_new ? 0U : 1U});
  }
  return send_rows(target, Shape::remove_many, Shape::remove_one, {});
}

Status GroupWriter::flush_put(Target& target, Effort effort) {
  rows_.clear();
  copied_.clear();
  const auto is_fresh = [](const NetChanges::Entry& entry) {
    return entry.kind == NetChanges::Kind::put && entry.is_new && entry.is_untouched;
  };
  const auto entries = target.net.entries();
  if (effort == Effort::copied && entries.size() >= kCopyRowsMin) {
    for (const NetChanges::Entry& entry : entries) {
      if (is_fresh(entry)) copied_.push_back(entry.row);
    }
  }
  const CopyForm form = copy_form(target);
  const bool is_copied = form != CopyForm::none;
  for (const NetChanges::Entry& entry : entries) {
    if (entry.kind != NetChanges::Kind::put || (is_copied && is_fresh(entry))) continue;
    rows_.push_back({entry.key, entry.row, entry.lsn});
  }
  if (is_copied) FRESHET_TRY(copy(target, form));
  return send_rows(target, Shape::put_many, Shape::put_one, {});
}

Status GroupWriter::flush_changed(Target& target) {
  std::vector<std::pair<std::vector<std::uint16_t>, std::vector<RowRef>>> by_set;
  std::vector<std::uint16_t> sent;
  for (const NetChanges::Entry& entry : target.net.entries()) {
    if (entry.kind != NetChanges::Kind::partial) continue;
    sent.clear();
    for (const std::uint16_t column : target.all) {
      if (!target.columns[column].is_key && !entry.row[column].is_unchanged()) {
        sent.push_back(column);
      }
    }
    if (sent.empty()) continue;
    auto known = std::find_if(by_set.begin(), by_set.end(),
                              [&](const auto& group) { return group.first == sent; });
    if (known == by_set.end()) known = by_set.insert(by_set.end(), {sent, {}});
    known->second.push_back({entry.key, entry.row, entry.lsn});
  }
  for (auto& [set, rows] : by_set) {
    rows_.swap(rows);
    FRESHET_TRY(send_rows(target, Shape::change_many, Shape::change_one, set));
  }
  return ok_status();
}

Status GroupWriter::flush_rows(Target& target, Effort effort) {
  rows_.clear();
  for (const NetRows::Row& row : target.net_rows.removed())
    rows_.push_back({{}, row.values, row.lsn, 1});
  FRESHET_TRY(remove_rows(target));
  rows_.clear();
  copied_.clear();
  for (const NetRows::Row& row : target.net_rows.added()) {
    if (!row.is_alive) continue;
    rows_.push_back({{}, row.values, row.lsn});
    copied_.push_back(row.values);
  }
  if (effort == Effort::copied && !target.all.empty()) {
    const CopyForm form = copy_form(target);
    if (form != CopyForm::none) return copy(target, form);
  }
  if (!target.all.empty()) return send_rows(target, Shape::add_many, Shape::add_one, {});
  for (const RowRef& row : rows_)
    FRESHET_TRY(send_one(target, Shape::add_one, {}, row));
  return ok_status();
}

// Without a key each row is a reading of the table: many are looked for in one. A key's index finds
// them one by one.
Status GroupWriter::remove_rows(Target& target) {
  if (target.key.empty() && !target.compared.empty() && rows_.size() > 1) {
    // Off otherwise, for statements that find rows by their key (session_settings.sql).
    FRESHET_TRY(session_.send("SET LOCAL enable_hashjoin = on"));
    FRESHET_TRY(send_rows(target, Shape::remove_rows, Shape::remove_row, {}));
    return session_.send("SET LOCAL enable_hashjoin = off");
  }
  for (const RowRef& row : rows_)
    FRESHET_TRY(send_one(target, Shape::remove_row, {}, row));
  return ok_status();
}

GroupWriter::CopyForm GroupWriter::copy_form(const Target& target) const {
  if (copied_.size() < kCopyRowsMin) return CopyForm::none;
  if (!std::any_of(copied_.begin(), copied_.end(), has_binary)) return CopyForm::text;
  return can_copy_binary(target, copied_) ? CopyForm::binary : CopyForm::none;
}

Status GroupWriter::copy(Target& target, CopyForm form) {
  pg::Connection& connection = session_.connection();
  const bool is_binary = form == CopyForm::binary;
  FRESHET_TRY(session_.end_pipeline());
  FRESHET_TRY(connection.start_copy_in(copy_sql(target, is_binary)));
  copy_buffer_.clear();
  if (is_binary) copy_buffer_ += binary_copy_header();
  const auto explain = [&](Error error) { return naming(std::move(error), target.schema->name); };
  for (const RowView row : copied_) {
    Status encoded = is_binary ? append_binary_row(target, row, copy_buffer_)
                               : append_copy_row(row, copy_buffer_);
    if (!encoded.ok()) {
      (void)connection.abort_copy_in("a row cannot be written");
      return explain(std::move(encoded).error());
    }
    if (copy_buffer_.size() < kCopyBufferBytes) continue;
    FRESHET_TRY(connection.put_copy_data(copy_buffer_));
    copy_buffer_.clear();
  }
  if (is_binary) copy_buffer_ += binary_copy_trailer();
  FRESHET_TRY(connection.put_copy_data(copy_buffer_));
  auto copied = connection.end_copy_in();
  if (!copied.ok()) return explain(std::move(copied).error());
  return session_.begin_pipeline();
}

void GroupWriter::begin_forms(const Target& target, const std::vector<std::uint16_t>& set) {
  forms_.assign(target.columns.size(), Form::unknown);
  sets_.set = set;
  sets_.binary.clear();
}

Result<bool> GroupWriter::note_form(const Target& target,
                                    std::uint16_t column,
                                    const Value& value,
                                    Lsn lsn) {
  if (value.is_null()) return false;
  const TargetColumn& to = target.columns[column];
  const bool is_binary = value.kind == ValueKind::binary && !to.comes_as_text;
  const Form form = is_binary ? Form::binary : Form::text;
  if (forms_[column] == form) return is_binary;
  const bool can_be_written = !value.is_unchanged() && (!is_binary || !to.binary.type_sql.empty());
  if (forms_[column] != Form::unknown || !can_be_written) {
    return odd_form(target, column, value, lsn);
  }
  forms_[column] = form;
  if (is_binary)
    sets_.binary.insert(std::upper_bound(sets_.binary.begin(), sets_.binary.end(), column), column);
  return is_binary;
}

Status GroupWriter::send_rows(Target& target,
                              Shape many,
                              Shape one,
                              const std::vector<std::uint16_t>& set) {
  if (rows_.empty()) return ok_status();
  const bool goes_by_row =
      target.goes_by_row && std::any_of(rows_.begin(), rows_.end(), [](const RowRef& row) {
        return has_binary(row.row) || has_binary(row.key);
      });
  if (rows_.size() == 1 || goes_by_row) {
    for (const RowRef& row : rows_)
      FRESHET_TRY(send_one(target, one, set, row));
    return ok_status();
  }
  std::size_t start = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    for (const Value& value : rows_[i].row)
      bytes += value.size;
    const bool is_last = i + 1 == rows_.size();
    if (!is_last && i + 1 - start < kChunkRowsMax && bytes < kChunkBytesMax) continue;
    FRESHET_TRY(send_chunk(target, many, set, std::span{rows_}.subspan(start, i + 1 - start)));
    start = i + 1;
    bytes = 0;
  }
  return ok_status();
}

Status GroupWriter::send_chunk(Target& target,
                               Shape shape,
                               const std::vector<std::uint16_t>& set,
                               std::span<const RowRef> rows) {
  const std::vector<std::uint16_t>& columns = columns_of(target, shape, set);
  const std::size_t keys = shape == Shape::change_many ? target.key.size() : 0;
  if (arrays_.size() < keys + columns.size()) arrays_.resize(keys + columns.size());
  for (ValueArray& array : arrays_)
    array.clear();
  begin_forms(target, set);
  const auto add = [&](ValueArray& to, std::uint16_t column, RowView values, Lsn lsn) -> Status {
    FRESHET_TRY(const bool is_binary, note_form(target, column, values[column], lsn));
    if (is_binary) {
      to.add(values[column], target.columns[column].binary);
    } else {
      to.add(values[column]);
    }
    return ok_status();
  };
  std::uint64_t expected = 0;
  for (const RowRef& row : rows) {
    for (std::size_t i = 0; i < keys; ++i)
      FRESHET_TRY(add(arrays_[i], target.key[i], row.key, row.lsn));
    const RowView values = shape == Shape::remove_many ? row.key : row.row;
    for (std::size_t i = 0; i < columns.size(); ++i)
      FRESHET_TRY(add(arrays_[keys + i], columns[i], values, row.lsn));
    expected += row.expected;
  }
  parameters_.clear();
  for (std::size_t i = 0; i < keys + columns.size(); ++i) {
    parameters_.push_back(arrays_[i].parameter());
  }
  const std::string count = std::to_string(rows.size());
  if (shape == Shape::change_many) parameters_.push_back({count.c_str(), 0, false});
  return session_.send(target, shape, sets_, parameters_, {&target, rows.front().lsn, expected});
}

Status GroupWriter::send_one(Target& target,
                             Shape shape,
                             const std::vector<std::uint16_t>& set,
                             const RowRef& row) {
  row_.clear();
  begin_forms(target, set);
  const auto add = [&](RowView values, const std::vector<std::uint16_t>& columns) -> Status {
    for (const std::uint16_t column : columns) {
      const Value& value = values[column];
      FRESHET_TRY(const bool is_binary, note_form(target, column, value, row.lsn));
      if (is_binary) {
        row_.add(value, target.columns[column].binary);
      } else if (target.columns[column].is_raw_text) {
        row_.add_in_place(value);
      } else {
        row_.add(value);
      }
    }
    return ok_status();
  };
  const bool starts_with_key = shape == Shape::remove_one || shape == Shape::change_one;
  if (starts_with_key) FRESHET_TRY(add(row.key, target.key));
  if (shape == Shape::change_one) FRESHET_TRY(add(row.row, set));
  if (!starts_with_key) FRESHET_TRY(add(row.row, columns_of(target, shape, set)));
  if (shape == Shape::move_one) FRESHET_TRY(add(row.key, target.key));
  return session_.send(target, shape, sets_, row_.parameters(), {&target, row.lsn, row.expected});
}

Status write_apart(Session& session,
                   GroupWriter& writer,
                   std::span<const Run> runs,
                   Effort effort) {
  const auto send = [&]() -> Status {
    FRESHET_TRY(session.begin_pipeline());
    FRESHET_TRY(session.send("SAVEPOINT freshet_row"));
    FRESHET_TRY(writer.write(runs, effort));
    FRESHET_TRY(session.send("RELEASE SAVEPOINT freshet_row"));
    return session.end_pipeline();
  };
  Status sent = send();
  if (sent.ok() || breaks_session(sent.error())) return sent;
  writer.clear();
  FRESHET_TRY(
      session.roll_back("ROLLBACK TO SAVEPOINT freshet_row; RELEASE SAVEPOINT freshet_row"));
  // Those prepared by what failed may not be there.
  FRESHET_TRY(session.drop_statements());
  return sent;
}

}  // namespace freshet::postgres
