#include "pipeline/table_plan.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/try.h"
#include "core/snapshot.h"
#include "pipeline/schema_policy.h"

namespace freshet {
namespace {

constexpr std::chrono::seconds kVisibilityTimeout{5};
constexpr std::chrono::milliseconds kVisibilityRetry{2};

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

Error not_visible(Xid xid) {
  return Error{ErrorKind::busy, "a transaction that changed a table has yet to become visible"}
      .with("xid", static_cast<unsigned long long>(to_integer(xid)));
}

}  // namespace

Result<ShapePtr> make_copy_shape(const TablePlan& plan) {
  FRESHET_TRY(const TableSchema wanted,
              source::select_columns(plan.catalog, plan.publication.columns));
  return make_shape(plan, std::make_shared<const TableSchema>(wanted));
}

Result<ShapePtr> make_shape(const TablePlan& plan, SchemaPtr input) {
  auto shape = std::make_shared<Shape>();
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

bool is_same_shape(const TableSchema& a, const TableSchema& b) {
  if (a.name != b.name || a.identity != b.identity) return false;
  return std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& x, const Column& y) {
                      return x.name == y.name && x.attnum == y.attnum && x.type == y.type &&
                             x.typmod == y.typmod && x.primary_key_place == y.primary_key_place &&
                             x.is_identity == y.is_identity && x.is_derived == y.is_derived &&
                             (!x.is_derived || x.type_sql == y.type_sql);
                    });
}

SchemaResolver::SchemaResolver(pg::ConnectOptions options, const TablePlans& plans)
    : options_(std::move(options)), plans_(plans) {}

SchemaResolver::~SchemaResolver() = default;

Result<pg::Connection*> SchemaResolver::connection() {
  if (!connection_) {
    filters_.clear();
    FRESHET_TRY(connection_, pg::Connection::open(options_));
  }
  return connection_.get();
}

// A transaction is streamed as soon as its commit is flushed, and seen by others a moment later
// (much later, if it waits for a standby): until then the catalogue does not have its definitions.
Status SchemaResolver::wait_until_visible(pg::Connection& catalog,
                                          std::span<const Question> questions) {
  const auto deadline = std::chrono::steady_clock::now() + kVisibilityTimeout;
  while (true) {
    FRESHET_TRY(const pg::Rows rows, catalog.query("SELECT pg_catalog.pg_current_snapshot()"));
    FRESHET_TRY(const Snapshot snapshot, Snapshot::parse(rows.text(0, 0)));
    const auto unseen = std::find_if_not(
        questions.begin(), questions.end(),
        [&](const Question& question) { return snapshot.is_visible(question.xid); });
    if (unseen == questions.end()) return ok_status();
    if (std::chrono::steady_clock::now() >= deadline) return not_visible(unseen->xid);
    std::this_thread::sleep_for(kVisibilityRetry);
  }
}

Status SchemaResolver::add_shape(const SchemaPtr& streamed, SchemaPtr input) {
  FRESHET_TRY(ShapePtr shape, make_shape(plans_.at(streamed->name), std::move(input)));
  shapes_.emplace(streamed, std::move(shape));
  return ok_status();
}

Status SchemaResolver::ask(std::span<const Question> questions) {
  std::vector<source::Announced> announced;
  for (const Question& question : questions)
    announced.push_back(question.table);
  FRESHET_TRY(pg::Connection* const catalog, connection());
  FRESHET_TRY(wait_until_visible(*catalog, questions));
  FRESHET_TRY(auto inputs, source::enrich(*catalog, announced));
  Status added = ok_status();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Status one = add_shape(announced[i].streamed, std::move(inputs[i]));
    if (added.ok()) added = std::move(one);
  }
  return added;
}

Status SchemaResolver::look_up(std::span<const Question> questions) {
  const std::lock_guard lock(mutex_);
  std::vector<Question> unknown;
  for (const Question& question : questions) {
    const SchemaPtr& streamed = question.table.streamed;
    if (shapes_.contains(streamed)) continue;
    const bool is_captured = !streamed->definition.empty();
    if (!is_captured) {
      unknown.push_back(question);
      continue;
    }
    FRESHET_TRY(add_shape(streamed, source::settle_captured(streamed, question.table.previous)));
  }
  if (unknown.empty()) return ok_status();
  Status asked = ask(unknown);
  if (asked.ok() || asked.error().kind() != ErrorKind::connection) return asked;
  // The source may have been restarted since the last question: ask once more over a new session.
  connection_.reset();
  return ask(unknown);
}

Result<ShapePtr> SchemaResolver::resolve(const SchemaPtr& streamed,
                                         const SchemaPtr& previous,
                                         Xid xid) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = shapes_.find(streamed); known != shapes_.end()) return known->second;
  }
  const Question question{{streamed, previous}, xid};
  FRESHET_TRY(look_up({&question, 1}));
  const std::lock_guard lock(mutex_);
  return shapes_.at(streamed);
}

Result<std::map<Oid, std::vector<TableObject>>> SchemaResolver::objects(
    std::span<const Oid> relations) {
  const std::lock_guard lock(mutex_);
  for (int attempt = 0;; ++attempt) {
    FRESHET_TRY(pg::Connection* const catalog, connection());
    auto objects = source::load_objects(*catalog, relations);
    const bool is_lost = !objects.ok() && objects.error().kind() == ErrorKind::connection;
    if (!is_lost || attempt > 0) return objects;
    filters_.clear();
    connection_.reset();
  }
}

Result<std::vector<source::Match>> SchemaResolver::filter(const Shape& shape,
                                                          const TablePlan& plan,
                                                          std::span<const RowView> rows) {
  const std::lock_guard lock(mutex_);
  for (int attempt = 0;; ++attempt) {
    FRESHET_TRY(pg::Connection* const catalog, connection());
    auto& filter = filters_[shape.input];
    if (!filter) {
      FRESHET_TRY(filter, source::RowFilter::make(*catalog, shape.input, plan.config.where));
    }
    auto matches = filter->evaluate(rows);
    const bool is_lost = !matches.ok() && matches.error().kind() == ErrorKind::connection;
    if (!is_lost || attempt > 0) return matches;
    filters_.clear();
    connection_.reset();
  }
}

Result<source::Reread> SchemaResolver::reread_once(const source::RereadRequest& request,
                                                   Arena& arena) {
  const auto deadline = std::chrono::steady_clock::now() + kVisibilityTimeout;
  FRESHET_TRY(pg::Connection* const catalog, connection());
  while (true) {
    FRESHET_TRY(auto read, source::reread_rows(*catalog, request, arena));
    if (read) return *std::move(read);
    if (std::chrono::steady_clock::now() >= deadline) return not_visible(request.xid);
    std::this_thread::sleep_for(kVisibilityRetry);
  }
}

Result<source::Reread> SchemaResolver::reread(const source::RereadRequest& request, Arena& arena) {
  const std::lock_guard lock(mutex_);
  auto read = reread_once(request, arena);
  if (read.ok() || read.error().kind() != ErrorKind::connection) return read;
  filters_.clear();
  connection_.reset();
  return reread_once(request, arena);
}

}  // namespace freshet
