#include "destinations/postgres/range_writer.h"

#include <fmt/format.h>

#include "base/sql_quote.h"
#include "base/try.h"
#include "destinations/postgres/origin.h"
#include "destinations/postgres/progress.h"
#include "destinations/postgres/schema.h"
#include "freshet/config.h"
#include "types/copy_text.h"
#include "types/table_error.h"

namespace freshet::postgres {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} << 10;

class PostgresRangeWriter final : public RangeWriter {
 public:
  PostgresRangeWriter(std::shared_ptr<RangePool> pool,
                      std::unique_ptr<pg::Connection> connection,
                      SchemaPtr schema)
      : pool_(std::move(pool)),
        connection_(std::move(connection)),
        schema_(std::move(schema)),
        fence_(pool_->fence()) {}

  Status start(const RangeId& range) {
    // Not waiting for the disk is safe: the phase that makes these rows count is recorded by a
    // commit that does wait, and WAL is flushed in order.
    FRESHET_TRY(connection_->execute("BEGIN; SET LOCAL synchronous_commit = off"));
    if (range.replaced) {
      FRESHET_TRY(const auto found, find_table(*connection_, schema_->name));
      FRESHET_TRY(check_order(*range.replaced, found));
      // Who reads a chunk holds a lock at the source meanwhile: to be tried again instead.
      FRESHET_TRY(explain(connection_->execute(
          fmt::format("SET LOCAL lock_timeout = '500ms'; SET LOCAL enable_seqscan = off; DELETE "
                      "FROM {} WHERE {}; SET LOCAL lock_timeout = 0",
                      own_rows_sql(schema_->name, found && found->is_partitioned),
                      key_condition(*range.replaced)))));
    }
    std::string columns;
    for (const Column& column : schema_->columns) {
      if (!columns.empty()) columns += ", ";
      columns += quote_identifier(column.name);
    }
    // A table without columns takes no list, not an empty one.
    if (!columns.empty()) columns = " (" + columns + ")";
    return explain(connection_->start_copy_in(
        fmt::format("COPY {}{} FROM STDIN", quote_identifier(schema_->name), columns)));
  }

  Status rows(std::span<const Change> rows) override {
    for (const Change& row : rows) {
      FRESHET_TRY(explain(append_copy_row(row.after, buffer_)));
      if (buffer_.size() >= kBufferBytes) FRESHET_TRY(send_buffer());
    }
    return ok_status();
  }

  Status raw_rows(std::string_view copy_text) override {
    if (!buffer_.empty()) FRESHET_TRY(send_buffer());
    return explain(connection_->put_copy_data(copy_text));
  }

  Status finish() override {
    if (!buffer_.empty()) FRESHET_TRY(send_buffer());
    auto copied = connection_->end_copy_in();
    if (!copied.ok()) return explain(std::move(copied).error());
    Status fenced = check_fence(*connection_, pool_->pipeline(), fence_);
    if (!fenced.ok()) return explain(reopened_or_fenced(std::move(fenced).error()));
    Status committed = explain(connection_->execute("COMMIT"));
    if (!committed.ok()) return std::move(committed.error()).in_doubt();
    pool_->give_back(std::move(connection_));
    return ok_status();
  }

 private:
  // The range is one of the source's keys: as text they would have another order.
  Status check_order(const KeyBounds& bounds, const std::optional<FoundTable>& found) const {
    for (const std::string& name : bounds.columns) {
      const FoundColumn* const here = found ? found->find(name) : nullptr;
      const std::string& type =
          schema_->columns[static_cast<std::size_t>(schema_->find(name))].type_sql;
      if (here == nullptr ||
          (here->declared_type != "text" && is_assignable(type, here->declared_type)))
        continue;
      return Error{ErrorKind::schema,
                   "the key has another type at the destination: the table cannot be copied in "
                   "chunks of keys"}
          .with("table", to_string(schema_->name))
          .with("column", name)
          .with("type", here->declared_type)
          .fix("set `copy: snapshot` for this table, or ALTER TABLE " +
               quote_identifier(schema_->name) + " ALTER COLUMN " + quote_identifier(name) +
               " TYPE " + type);
    }
    return ok_status();
  }

  Status send_buffer() {
    Status sent = connection_->put_copy_data(buffer_);
    buffer_.clear();
    return explain(std::move(sent));
  }

  /// Where this process itself opened the destination again, the range may simply be tried again.
  Error reopened_or_fenced(Error error) const {
    if (error.kind() != ErrorKind::fenced || pool_->fence() == fence_) return error;
    return Error{ErrorKind::connection, "the destination was opened again during the range"};
  }

  Status explain(Status status) const {
    if (status.ok()) return status;
    return naming(std::move(status).error(), schema_->name);
  }

  std::shared_ptr<RangePool> pool_;
  std::unique_ptr<pg::Connection> connection_;
  SchemaPtr schema_;
  std::uint64_t fence_;
  std::string buffer_;
};

}  // namespace

void RangePool::set_fence(std::uint64_t fence) {
  const std::lock_guard lock{mutex_};
  fence_ = fence;
  idle_.clear();
}

std::uint64_t RangePool::fence() const {
  const std::lock_guard lock{mutex_};
  return fence_;
}

Result<std::unique_ptr<pg::Connection>> RangePool::take() {
  {
    const std::lock_guard lock{mutex_};
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  FRESHET_TRY(auto connection,
              pg::Connection::open({.url = url_,
                                    .application_name = application_name(pipeline_) + " copy",
                                    .interrupter = interrupter_}));
  // As a subscription does: triggers and foreign keys fired at the source. Needs a right that not
  // every role has; without it they fire here too.
  (void)connection->execute("SET session_replication_role = replica");
  FRESHET_TRY(set_origin(*connection, pipeline_));
  return connection;
}

void RangePool::give_back(std::unique_ptr<pg::Connection> connection) {
  const std::lock_guard lock{mutex_};
  if (!interrupter_->is_triggered()) idle_.push_back(std::move(connection));
}

void RangePool::close() {
  interrupter_->trigger();
  const std::lock_guard lock{mutex_};
  idle_.clear();
}

Result<std::unique_ptr<RangeWriter>> open_range(std::shared_ptr<RangePool> pool,
                                                const SchemaPtr& schema,
                                                const RangeId& range) {
  FRESHET_TRY(auto connection, pool->take());
  auto writer =
      std::make_unique<PostgresRangeWriter>(std::move(pool), std::move(connection), schema);
  FRESHET_TRY(writer->start(range));
  return std::unique_ptr<RangeWriter>{std::move(writer)};
}

}  // namespace freshet::postgres
