// The tables of a pipeline and what happens to their rows on the way: projection, filter,
// transforms.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/snapshot.h"
#include "freshet/config.h"
#include "freshet/result.h"
#include "freshet/schema.h"
#include "freshet/transform.h"
#include "pg/connection.h"
#include "source/catalog.h"
#include "source/publication.h"
#include "source/row_filter.h"
#include "source/row_reread.h"
#include "source/table_objects.h"

namespace freshet {

/// One table: its configuration, what the catalogue said last, and its transforms in order.
struct TablePlan {
  TableConfig config;
  source::CatalogTable catalog;
  /// What the publication carries of it, and what it leaves to us.
  source::TablePublication publication;
  std::vector<Transform*> transforms;
  std::set<std::string> masked;  ///< Columns whose values a transform replaces.
  SchemaChanges schema_changes = SchemaChanges::evolve;
  /// Under `ignore`: the definition that the destinations' tables keep. Null: the latest.
  SchemaPtr kept;
  /// By its primary key, chunk by chunk; else under one snapshot. Fixed before copying begins.
  bool is_copied_in_chunks = false;
};

/// True if rows come in and go out by a condition, ours or the publication's.
bool is_filtered(const TablePlan& plan);

/// The columns of the table whose values a transform of the pipeline replaces.
std::set<std::string> masked_columns(const PipelineConfig& config, const TableName& table);

using TablePlans = std::map<TableName, TablePlan>;

/// Rows of one schema version of the stream, from wire to destination.
struct Shape {
  SchemaPtr input;        ///< As streamed, completed from the catalogue.
  SchemaPtr read;         ///< After the column list, under the source's names.
  SchemaPtr projected;    ///< The same under the destination's, which differ under `ignore` alone.
  SchemaPtr output;       ///< After the transforms: what the destination sees.
  std::vector<int> kept;  ///< Columns of input that projected has; empty: all.
  std::vector<Transform*> transforms;
  std::vector<SchemaPtr> transform_inputs;  ///< transform_inputs[i] goes into transforms[i].
  bool is_certain = true;  ///< Its columns are known to be those (source::Enriched).
};

using ShapePtr = std::shared_ptr<const Shape>;

/// The shape of rows as the copy reads them: the catalogue's columns that the stream carries too.
/// Fails as source::is_stale_plan() where the publication was looked up after the catalogue, and a
/// column was renamed in between.
Result<ShapePtr> make_copy_shape(const TablePlan& plan);
/// The condition on the rows that a copy reads, as SQL; empty: all.
std::string copied_rows(const TablePlan& plan);
/// Works out the shape of rows of `input` under `plan`.
Result<ShapePtr> make_shape(const TablePlan& plan, SchemaPtr input, bool is_certain = true);
/// The shape of rows that come as `previous` says: nothing is to be followed, or nobody knows what.
ShapePtr unchanged_shape(const SchemaPtr& previous, bool is_certain = true);
/// Whether it was captured in the stream, so that it is exact.
bool is_captured(const TableSchema& streamed);

/// Asks the source on behalf of the lanes, over connections that it opens when first needed.
/// Thread-safe. Questions to the catalogue wait for one another, and so do filters; who waits for a
/// table that somebody locks, for hours perhaps, holds up no question to the catalogue.
class SchemaResolver {
 public:
  struct Question {
    source::Announced table;
    Committed transaction;
  };

  /// `stopping`, once triggered, makes fail with `cancelled` what may wait for a table: filter(),
  /// reread() and objects().
  SchemaResolver(pg::ConnectOptions options,
                 const TablePlans& plans,
                 std::shared_ptr<pg::Interrupter> stopping);
  ~SchemaResolver();

  /// The shapes of schemas that came in the stream with these transactions, all in one go. Null:
  /// the definition was captured and is not true. Fails with `busy` if the catalogue does not show
  /// for seconds what those transactions did.
  Result<std::vector<ShapePtr>> look_up(std::span<const Question> questions);
  /// Which rows match the table's `where`. Rows have the shape of `shape.input`.
  Result<std::vector<source::Match>> filter(const Shape& shape,
                                            const TablePlan& plan,
                                            std::span<const RowView> rows);
  /// Reads rows again for the values that they lack (source/row_reread.h). Fails with `busy` if one
  /// of the transactions that they are of is not visible for seconds. Waits for as long as the
  /// table is locked, on a connection of its own.
  Result<source::Reread> reread(const source::RereadRequest& request,
                                std::span<const Committed> transactions,
                                Arena& arena);
  /// What belongs to these tables of the source. Waits for those that are locked, on a connection
  /// of its own.
  Result<std::map<Oid, std::vector<TableObject>>> objects(std::span<const Oid> relations);

 private:
  /// What is to be looked up, if anything.
  struct Unbelieved {
    SchemaPtr streamed;
    bool is_doubtful = false;  // source::CheckedDefinition
  };

  Result<std::vector<ShapePtr>> ask(pg::Connection& catalog, std::span<const Question> questions);
  Result<std::vector<Unbelieved>> believe(pg::Connection& catalog,
                                          std::span<const Question> questions,
                                          std::span<ShapePtr> shapes);
  static Status wait_until_visible(pg::Connection& catalog,
                                   std::span<const Committed> transactions);

  std::unique_ptr<pg::Connection> take_reader();
  void give_back(std::unique_ptr<pg::Connection> reader);

  pg::ConnectOptions options_;
  pg::ConnectOptions table_options_;  // with the interrupter
  const TablePlans& plans_;
  std::mutex mutex_;  // guards the one below
  std::unique_ptr<pg::Connection> catalog_;
  std::mutex filter_mutex_;  // guards the two below
  std::unique_ptr<pg::Connection> filtering_;
  std::map<SchemaPtr, std::unique_ptr<source::RowFilter>> filters_;
  std::mutex readers_mutex_;                                   // guards what is below
  std::vector<std::unique_ptr<pg::Connection>> idle_readers_;  // at most one per lane
};

}  // namespace freshet
