#include "pipeline/table_plan.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/log.h"
#include "base/try.h"
#include "pg/sqlstate.h"
#include "pipeline/schema_policy.h"
#include "source/barrier.h"
#include "source/captured_definition.h"
#include "source/filter_probe.h"
#include "source/table_read.h"

namespace freshet {
namespace {

constexpr std::chrono::seconds kVisibilityTimeout{5};
constexpr std::chrono::milliseconds kVisibilityRetry{2};
constexpr std::chrono::milliseconds kLockedPause{200};

// Rows are addressed by their key, which therefore stays; under FULL by all that is there.
bool is_wanted(const TablePlan& plan, const TableSchema& schema, const Column& column) {
  if (!plan.publication.filters_columns || plan.config.columns.empty()) return true;
  if (column.is_identity && schema.identity != ReplicaIdentity::full) return true;
  return std::find(plan.config.columns.begin(), plan.config.columns.end(), column.name) !=
         plan.config.columns.end();
}

void project(const TablePlan& plan, SchemaPtr input, Shape& shape) {
  TableSchema read = *input;
  TableSchema projected = *input;
  read.columns.clear();
  projected.columns.clear();
  for (std::size_t i = 0; i < input->columns.size(); ++i) {
    const Column& column = input->columns[i];
    const Column* const kept = plan.kept ? find_kept(*plan.kept, column) : &column;
    if (kept == nullptr || !is_wanted(plan, *input, column)) continue;
    read.columns.push_back(column);
    projected.columns.push_back(column);
    projected.columns.back().name = kept->name;
    shape.kept.push_back(static_cast<int>(i));
  }
  const bool is_whole = shape.kept.size() == input->columns.size();
  if (is_whole) shape.kept.clear();
  shape.read = is_whole ? input : std::make_shared<const TableSchema>(std::move(read));
  shape.projected =
      plan.kept ? std::make_shared<const TableSchema>(std::move(projected)) : shape.read;
  shape.input = std::move(input);
}

Error not_visible(std::span<const Committed> transactions) {
  return Error{ErrorKind::busy, "a transaction that changed a table has yet to become visible"}
      .with("xid", static_cast<unsigned long long>(to_integer(transactions.back().xid)))
      .with("transactions", transactions.size());
}

void tell_not_believed(const TableSchema& captured, const Committed& transaction) {
  log_warn("a captured definition is not followed: the source's catalogue does not bear it out",
           {{"table", to_string(captured.name)}, {"commit_lsn", to_string(transaction.commit)}});
}

/// What `ask` returns of the connection; asked once more over a new one if that was lost: the
/// source may have been restarted since the last question.
template <typename Ask>
auto asked(std::unique_ptr<pg::Connection>& connection,
           const pg::ConnectOptions& options,
           const Ask& ask) -> decltype(ask(*connection)) {
  for (int attempt = 0;; ++attempt) {
    if (!connection) {
      FRESHET_TRY(connection, pg::Connection::open(options));
    }
    auto answer = ask(*connection);
    const bool is_lost = !answer.ok() && answer.error().kind() == ErrorKind::connection;
    if (!is_lost || attempt > 0) return answer;
    connection.reset();
  }
}

}  // namespace

bool is_captured(const TableSchema& streamed) {
  return !streamed.definition.empty();
}

bool is_filtered(const TablePlan& plan) {
  return !plan.config.where.empty() || !plan.publication.row_filter.empty();
}

std::set<std::string> masked_columns(const PipelineConfig& config, const TableName& table) {
  std::set<std::string> masked;
  for (const TransformConfig& transform : config.transforms) {
    if (transform.table != table) continue;
    for (const auto& [column, method] : transform.mask)
      masked.insert(column);
  }
  return masked;
}

Result<ShapePtr> make_copy_shape(const TablePlan& plan) {
  const std::vector<std::string>& published = plan.publication.columns;
  if (std::any_of(published.begin(), published.end(), [&](const std::string& column) {
        return plan.catalog.schema.find(column) < 0;
      })) {
    return source::stale_plan(plan.config.name,
                              "a publication's list names a column that is not there");
  }
  FRESHET_TRY(const TableSchema wanted, source::select_columns(plan.catalog, published));
  return make_shape(plan, std::make_shared<const TableSchema>(wanted));
}

// A named publication may have a row filter of its own: the copy must not bring more than the
// stream. It may well bring less.
std::string copied_rows(const TablePlan& plan) {
  std::string all;
  for (const std::string& condition :
       {plan.config.where, plan.publication.row_filter, plan.config.copy_where}) {
    if (condition.empty()) continue;
    all += (all.empty() ? "" : " AND ") + source::in_parentheses(condition);
  }
  return all;
}

ShapePtr unchanged_shape(const SchemaPtr& previous, bool is_certain) {
  auto shape = std::make_shared<Shape>();
  shape->is_certain = is_certain;
  shape->input = shape->read = shape->projected = shape->output = previous;
  return shape;
}

Result<ShapePtr> make_shape(const TablePlan& plan, SchemaPtr input, bool is_certain) {
  auto shape = std::make_shared<Shape>();
  shape->is_certain = is_certain;
  project(plan, std::move(input), *shape);
  shape->output = shape->projected;
  for (Transform* transform : plan.transforms) {
    shape->transform_inputs.push_back(shape->output);
    shape->transforms.push_back(transform);
    FRESHET_TRY(shape->output, transform->output_schema(shape->output));
  }
  if (plan.kept) FRESHET_TRY(check_kept(*plan.kept, *shape->input, *shape->output));
  return ShapePtr{std::move(shape)};
}

SchemaResolver::SchemaResolver(pg::ConnectOptions options,
                               const TablePlans& plans,
                               std::shared_ptr<pg::Interrupter> stopping)
    : options_(std::move(options)), table_options_(options_), plans_(plans) {
  table_options_.interrupter = std::move(stopping);
}

SchemaResolver::~SchemaResolver() = default;

// Until then the catalogue does not have their definitions.
Status SchemaResolver::wait_until_visible(pg::Connection& catalog,
                                          std::span<const Committed> transactions) {
  const auto deadline = std::chrono::steady_clock::now() + kVisibilityTimeout;
  while (true) {
    FRESHET_TRY(const bool are_seen, source::are_visible(catalog, transactions));
    if (are_seen) return ok_status();
    if (std::chrono::steady_clock::now() >= deadline) return not_visible(transactions);
    std::this_thread::sleep_for(kVisibilityRetry);
  }
}

// What was captured and is true becomes a shape at once; for the others, what to look up in its
// place. Null where there is nothing to look up.
Result<std::vector<SchemaResolver::Unbelieved>> SchemaResolver::believe(
    pg::Connection& catalog, std::span<const Question> questions, std::span<ShapePtr> shapes) {
  std::vector<source::CapturedDefinition> captured;
  for (const Question& question : questions) {
    const auto& [streamed, previous] = question.table;
    if (is_captured(*streamed)) captured.push_back({streamed, previous, question.transaction.xid});
  }
  std::vector<source::CheckedDefinition> checked;
  if (!captured.empty()) {
    FRESHET_TRY(checked, source::check_captured(catalog, captured));
  }
  std::vector<Unbelieved> left(questions.size());
  auto next = checked.begin();
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const auto& [streamed, previous] = questions[i].table;
    if (!is_captured(*streamed)) {
      left[i].streamed = streamed;
      continue;
    }
    const auto& [believed, is_doubtful] = *next++;
    if (believed) {
      FRESHET_TRY(shapes[i], make_shape(plans_.at(streamed->name),
                                        source::settle_captured(believed, previous)));
      continue;
    }
    tell_not_believed(*streamed, questions[i].transaction);
    if (!source::is_hearsay(*streamed)) {
      left[i] = {source::without_capture(*streamed), is_doubtful};
    } else if (is_doubtful) {
      // Whatever comes after it, in a later session perhaps, would be held against too old a
      // definition.
      shapes[i] = unchanged_shape(previous, false);
    }
  }
  return left;
}

Result<std::vector<ShapePtr>> SchemaResolver::ask(pg::Connection& catalog,
                                                  std::span<const Question> questions) {
  std::vector<Committed> transactions;
  for (const Question& question : questions)
    transactions.push_back(question.transaction);
  FRESHET_TRY(wait_until_visible(catalog, transactions));
  std::vector<ShapePtr> shapes(questions.size());
  FRESHET_TRY(const std::vector<Unbelieved> left, believe(catalog, questions, shapes));
  std::vector<source::Announced> announced;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    if (!left[i].streamed) continue;
    announced.push_back({left[i].streamed, questions[i].table.previous});
    places.push_back(i);
  }
  if (announced.empty()) return shapes;
  FRESHET_TRY(const auto enriched, source::enrich(catalog, announced));
  for (std::size_t i = 0; i < enriched.size(); ++i) {
    const SchemaPtr& schema = enriched[i].schema;
    const bool is_certain = enriched[i].is_certain && !left[places[i]].is_doubtful;
    FRESHET_TRY(shapes[places[i]], make_shape(plans_.at(schema->name), schema, is_certain));
  }
  return shapes;
}

Result<std::vector<ShapePtr>> SchemaResolver::look_up(std::span<const Question> questions) {
  const std::lock_guard lock(mutex_);
  return asked(catalog_, options_,
               [&](pg::Connection& catalog) { return ask(catalog, questions); });
}

Result<std::map<Oid, std::vector<TableObject>>> SchemaResolver::objects(
    std::span<const Oid> relations) {
  std::unique_ptr<pg::Connection> reader = take_reader();
  auto objects = asked(reader, table_options_, [&](pg::Connection& connection) {
    return source::load_objects(connection, relations);
  });
  if (objects.ok()) give_back(std::move(reader));
  return objects;
}

Result<std::vector<source::Match>> SchemaResolver::filter(const Shape& shape,
                                                          const TablePlan& plan,
                                                          std::span<const RowView> rows) {
  const std::lock_guard lock(filter_mutex_);
  const auto match = [&](pg::Connection& connection) -> Result<std::vector<source::Match>> {
    auto& filter = filters_[shape.input];
    if (!filter) {
      FRESHET_TRY(filter, source::RowFilter::make(connection, shape.input, plan.config.where));
    }
    return filter->evaluate(connection, rows);
  };
  return asked(filtering_, table_options_, match);
}

std::unique_ptr<pg::Connection> SchemaResolver::take_reader() {
  const std::lock_guard lock(readers_mutex_);
  if (idle_readers_.empty()) return nullptr;
  auto reader = std::move(idle_readers_.back());
  idle_readers_.pop_back();
  return reader;
}

void SchemaResolver::give_back(std::unique_ptr<pg::Connection> reader) {
  const std::lock_guard lock(readers_mutex_);
  idle_readers_.push_back(std::move(reader));
}

// A table that somebody locks, for hours perhaps, holds up this lane alone.
Result<source::Reread> SchemaResolver::reread(const source::RereadRequest& request,
                                              std::span<const Committed> transactions,
                                              Arena& arena) {
  bool has_told = false;
  const auto read_rows = [&](pg::Connection& connection) -> Result<source::Reread> {
    FRESHET_TRY(wait_until_visible(connection, transactions));
    while (true) {
      auto read = source::reread_rows(connection, request, arena);
      if (read.ok() || read.error().sqlstate() != pg::sqlstate::kLockNotAvailable) return read;
      if (!std::exchange(has_told, true)) {
        log_error(LogLevel::warn, "waiting for a table that is locked, to read rows again",
                  read.error());
      }
      FRESHET_TRY([[maybe_unused]] const bool is_ready,
                  connection.wait(pg::Ready::read, kLockedPause));
    }
  };
  std::unique_ptr<pg::Connection> reader = take_reader();
  auto read = asked(reader, table_options_, read_rows);
  if (read.ok()) give_back(std::move(reader));
  return read;
}

}  // namespace freshet
