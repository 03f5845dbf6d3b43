#include "pipeline/table_plan.h"

#include <algorithm>

#include "base/try.h"

namespace freshet {
namespace {

// Rows are addressed by their key, which therefore stays; under FULL by all that is there.
bool is_wanted(const TablePlan& plan, const TableSchema& schema, const Column& column) {
  if (!plan.publication.filters_columns || plan.config.columns.empty()) return true;
  if (column.is_identity && schema.identity != ReplicaIdentity::full) return true;
  return std::find(plan.config.columns.begin(), plan.config.columns.end(), column.name) !=
         plan.config.columns.end();
}

}  // namespace

Result<ShapePtr> make_copy_shape(const TablePlan& plan) {
  FRESHET_TRY(const TableSchema wanted,
              source::select_columns(plan.catalog, plan.publication.columns));
  return make_shape(plan, std::make_shared<const TableSchema>(wanted));
}

Result<ShapePtr> make_shape(const TablePlan& plan, SchemaPtr input) {
  auto shape = std::make_shared<Shape>();
  TableSchema projected = *input;
  projected.columns.clear();
  for (std::size_t i = 0; i < input->columns.size(); ++i) {
    if (!is_wanted(plan, *input, input->columns[i])) continue;
    projected.columns.push_back(input->columns[i]);
    shape->kept.push_back(static_cast<int>(i));
  }
  if (shape->kept.size() == input->columns.size()) {
    shape->kept.clear();
    shape->projected = input;
  } else {
    shape->projected = std::make_shared<const TableSchema>(std::move(projected));
  }
  shape->input = std::move(input);
  shape->output = shape->projected;
  for (Transform* transform : plan.transforms) {
    shape->transform_inputs.push_back(shape->output);
    shape->transforms.push_back(transform);
    FRESHET_TRY(shape->output, transform->output_schema(shape->output));
  }
  return ShapePtr{std::move(shape)};
}

bool is_same_shape(const TableSchema& a, const TableSchema& b) {
  if (a.name != b.name || a.identity != b.identity) return false;
  return std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& x, const Column& y) {
                      return x.name == y.name && x.type == y.type && x.typmod == y.typmod &&
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

Result<ShapePtr> SchemaResolver::resolve(const SchemaPtr& streamed, const SchemaPtr& previous) {
  const std::lock_guard lock(mutex_);
  if (const auto known = shapes_.find(streamed); known != shapes_.end()) return known->second;
  FRESHET_TRY(pg::Connection* const catalog, connection());
  auto enriched = source::enrich(*catalog, streamed, previous);
  if (!enriched.ok() && enriched.error().kind() == ErrorKind::connection) {
    // The source may have been restarted since the last question: ask once more over a new session.
    connection_.reset();
    FRESHET_TRY(pg::Connection* const again, connection());
    enriched = source::enrich(*again, streamed, previous);
  }
  FRESHET_TRY(SchemaPtr input, std::move(enriched));
  FRESHET_TRY(ShapePtr shape, make_shape(plans_.at(streamed->name), std::move(input)));
  shapes_.emplace(streamed, shape);
  return shape;
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

}  // namespace freshet
