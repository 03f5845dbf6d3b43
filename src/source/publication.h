// Publications: made by us when absent, checked when present.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "freshet/config.h"
#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet::source {

/// Servers from this version on publish whole schemas.
constexpr int kPublishesSchemasSince = 150'000;

std::vector<TableName> names_of(std::span<const TableConfig> tables);

/// How one table is published, and what that leaves to us.
struct TablePublication {
  TableName name;
  bool filters_columns = false;  ///< We must drop the columns not wanted.
  bool filters_rows = false;     ///< We must evaluate `where`.
  /// The columns that the stream carries; empty: all but generated ones.
  std::vector<std::string> columns;
  /// The publications' own row filter, to be applied (besides `where`) in the copy; empty: none.
  std::string row_filter;
};

struct PublicationRequest {
  std::string name;
  std::span<const TableConfig> tables;
  bool publishes_via_root = true;
  /// Tables without replica identity are published although updates and deletes there would fail.
  /// They are refused (kind `setting`) otherwise.
  bool allows_missing_identity = false;
};

struct PublicationPlan {
  std::string name;
  std::string sql;         ///< CREATE PUBLICATION ...
  std::string tables_sql;  ///< The list in it.
  std::vector<TablePublication> tables;
};

/// Decides which column lists and filters the publication can carry without making any write fail:
/// PG 15+, the filter uses identity columns only, the list has them all. Leaves nothing behind.
Result<PublicationPlan> plan_publication(pg::Connection& connection,
                                         const PublicationRequest& request);
Status create_publication(pg::Connection& connection, const PublicationPlan& plan);
/// Brings a publication that we made in step with the tables wanted: adds those it lacks, as
/// plan_publication would, and takes out those no longer wanted. What it has of the others stays.
Status update_publication(pg::Connection& connection, const PublicationRequest& request);
/// One that is missing is no error.
Status drop_publication(pg::Connection& connection, const std::string& name);
Result<bool> has_publication(pg::Connection& connection, const std::string& name);

struct PublicationCheck {
  std::vector<TablePublication> tables;
  std::vector<std::string> warnings;  ///< E.g. deletes are not published.
};

/// Fails with `setting` if a publication is missing or does not publish one of the tables, or
/// publishes fewer columns than wanted.
Result<PublicationCheck> check_publications(pg::Connection& connection,
                                            std::span<const std::string> names,
                                            std::span<const TableConfig> tables);

/// All tables of the publications, once each, by name; roots where they publish via root.
Result<std::vector<TableName>> list_published_tables(pg::Connection& connection,
                                                     std::span<const std::string> names);

/// Names of the columns which the boolean expression uses, as the server understands it (in a
/// temporary view that is rolled back). Nothing where it may use any: the row as a whole, or the
/// server may not be asked. An error of kind `config` if the expression does not parse or reads
/// another table. `connection` must be outside a transaction.
Result<std::optional<std::vector<std::string>>> find_filter_columns(pg::Connection& connection,
                                                                    const TableName& table,
                                                                    const std::string& where);

}  // namespace freshet::source
