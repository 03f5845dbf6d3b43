#include "source/publication.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/sql_quote.h"
#include "base/try.h"
#include "pg/array_literal.h"
#include "pg/sqlstate.h"
#include "source/catalog.h"
#include "source/filter_probe.h"
#include "source/sql/sql.h"
#include "source/waiting.h"

namespace freshet::source {
namespace {

constexpr int kColumnListsSince = 150'000;
constexpr int kGeneratedColumnsSince = 180'000;
using Parameter = std::optional<std::string_view>;

/// One table's part of CREATE PUBLICATION, and what stays with us.
struct PlannedTable {
  std::string sql;
  TablePublication publication;
};

bool contains(std::span<const std::string> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_identity(const CatalogTable& table, const std::string& column) {
  const int place = table.schema.find(column);
  return place >= 0 && table.schema.columns[static_cast<std::size_t>(place)].is_identity;
}

Status check_publishable(const CatalogTable& table) {
  const std::string name = to_string(table.schema.name);
  if (table.kind != 'r' && table.kind != 'p') {
    return Error{ErrorKind::setting, "only tables can be streamed; this is a view or foreign table"}
        .with("table", name)
        .fix("name the tables below it instead");
  }
  if (table.persistence != 'p') {
    return Error{ErrorKind::setting, "unlogged and temporary tables are not in the WAL"}
        .with("table", name)
        .fix("ALTER TABLE " + quote_identifier(table.schema.name) + " SET LOGGED");
  }
  return {};
}

std::string oid_list(std::span<const CatalogTable> tables) {
  return pg::integer_array_literal(
      tables, [](const CatalogTable& table) { return to_integer(table.schema.relation); });
}

/// What can be wrong with the replica identity of a table, itself or leaves of it.
struct IdentityFaults {
  std::vector<TableName> missing;
  /// Since 18 the server refuses updates and deletes of those, unless the publication has the
  /// generated columns as well.
  std::vector<TableName> generated;
};

Result<std::map<Oid, IdentityFaults>> load_identity_faults(pg::Connection& connection,
                                                           std::span<const CatalogTable> tables) {
  const std::string oids = oid_list(tables);
  const std::array<Parameter, 1> parameters{oids};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlIdentityFaults, parameters));
  const bool refuses_generated = connection.server_version() >= kGeneratedColumnsSince;
  std::map<Oid, IdentityFaults> faults;
  for (int row = 0; row < rows.rows(); ++row) {
    TableName name{rows.string(row, 0), rows.string(row, 1)};
    IdentityFaults& of = faults[rows.oid(row, 2)];
    if (!rows.boolean(row, 3)) {
      of.missing.push_back(std::move(name));
    } else if (refuses_generated) {
      of.generated.push_back(std::move(name));
    }
  }
  return faults;
}

Error has_generated_identity(const TableName& name) {
  return Error{ErrorKind::setting,
               "the replica identity has a generated column: once published, every UPDATE and "
               "DELETE of the table would fail at the source"}
      .with("table", to_string(name))
      .fix("ALTER TABLE " + quote_identifier(name) +
           " REPLICA IDENTITY DEFAULT (or USING INDEX one without it)");
}

Error lacks_identity(const TableName& name) {
  return Error{ErrorKind::setting,
               "the table has no replica identity: once published, every UPDATE and DELETE of it "
               "would fail at the source"}
      .with("table", to_string(name))
      .fix("add a primary key, or ALTER TABLE " + quote_identifier(name) +
           " REPLICA IDENTITY FULL");
}

Error is_published_by_leaves(const TableName& name) {
  return Error{ErrorKind::setting,
               "changes of a partitioned table would come under its partitions' names"}
      .with("table", to_string(name))
      .fix("name the partitions instead, or leave source.publish_via_partition_root at true");
}

/// The column list that the publication carries; empty for none.
std::vector<std::string> plan_columns(const CatalogTable& table,
                                      const TableConfig& config,
                                      std::span<const std::string> our_filter) {
  std::vector<std::string> list;
  for (const Column& column : table.schema.columns) {
    const bool is_wanted = contains(config.columns, column.name) ||
                           contains(our_filter, column.name) || column.is_identity;
    if (is_wanted) list.push_back(column.name);
  }
  return list.size() == table.schema.columns.size() ? std::vector<std::string>{} : list;
}

/// Without a list that says as much, a column that is added tomorrow is streamed too.
bool must_filter(const TableConfig& config, std::span<const std::string> list) {
  return !config.columns.empty() && list.size() != config.columns.size();
}

Result<PlannedTable> plan_table(pg::Connection& connection,
                                const PublicationRequest& request,
                                const TableConfig& config,
                                const CatalogTable& table,
                                const IdentityFaults& faults) {
  FRESHET_TRY(check_publishable(table));
  if (table.kind == 'p' && !request.publishes_via_root) return is_published_by_leaves(config.name);
  FRESHET_TRY([[maybe_unused]] const TableSchema selected, select_columns(table, config.columns));
  const std::vector<TableName>& without = faults.missing;
  if (!without.empty() && !request.allows_missing_identity) return lacks_identity(without.front());
  if (!faults.generated.empty()) return has_generated_identity(faults.generated.front());

  PlannedTable planned;
  planned.sql = only(table);
  TablePublication& publication = planned.publication;
  publication.name = config.name;
  std::optional<std::vector<std::string>> used = std::vector<std::string>{};
  bool has_filter = false;
  if (!config.where.empty()) {
    FRESHET_TRY(used, find_filter_columns(connection, config.name, config.where));
    const bool is_safe =
        used && std::all_of(used->begin(), used->end(),
                            [&](const std::string& column) { return is_identity(table, column); });
    if (is_safe && without.empty()) {
      FRESHET_TRY(has_filter,
                  can_publish(connection, table, config.where, request.publishes_via_root));
    }
    publication.filters_rows = !has_filter;
  }
  const bool can_list = connection.server_version() >= kColumnListsSince && without.empty();
  if (!config.columns.empty() && can_list && used) {
    publication.columns =
        plan_columns(table, config, has_filter ? std::vector<std::string>{} : *used);
  }
  publication.filters_columns = must_filter(config, publication.columns);

  std::string list;
  for (const std::string& column : publication.columns) {
    list += (list.empty() ? " (" : ", ") + quote_identifier(column);
  }
  if (!list.empty()) planned.sql += list + ")";
  if (has_filter) planned.sql += " WHERE " + in_parentheses(config.where);
  return planned;
}

struct Published {
  std::vector<std::string> columns;  // empty: no list
  bool is_whole = true;              // no column is left out, by now
  std::string filter;
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

using PublishedTables = std::map<Oid, std::vector<Published>>;

Result<PublishedTables> load_published(pg::Connection& connection,
                                       std::span<const std::string> names,
                                       std::span<const CatalogTable> tables) {
  const std::string list = pg::array_literal(names);
  const std::string oids = oid_list(tables);
  const std::array<Parameter, 2> parameters{list, oids};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlPublishedTable, parameters));
  PublishedTables published;
  for (int row = 0; row < rows.rows(); ++row) {
    Published& next = published[rows.oid(row, 4)].emplace_back();
    if (!rows.is_null(row, 1)) next.columns = split(rows.text(row, 1), '\1');
    next.is_whole = rows.boolean(row, 2);
    next.filter = rows.string(row, 3);
  }
  return published;
}

/// Several publications publish what any of them does.
std::string join_filters(std::span<const Published> published) {
  std::set<std::string> filters;
  for (const Published& one : published) {
    if (one.filter.empty()) return {};
    filters.insert(one.filter);
  }
  std::string joined;
  for (const std::string& filter : filters) {
    joined += (joined.empty() ? "(" : " OR (") + filter + ")";
  }
  return joined;
}

Status take_columns(const TableConfig& config,
                    std::span<const Published> published,
                    TablePublication& result) {
  const Published& first = published.front();
  result.columns = first.columns;
  for (const Published& other : published.subspan(1)) {
    if (result.columns.empty()) result.columns = other.columns;
    if (first.columns == other.columns || (first.is_whole && other.is_whole)) continue;
    return Error{ErrorKind::setting, "the publications have different column lists for the table"}
        .with("table", to_string(config.name))
        .fix("give the table one column list in all of them: the server refuses to stream it");
  }
  for (const std::string& wanted : config.columns) {
    if (result.columns.empty() || contains(result.columns, wanted)) continue;
    return Error{ErrorKind::setting, "the publication does not publish a column that is wanted"}
        .with("table", to_string(config.name))
        .with("column", wanted)
        .fix("add the column to the publication's list, or take it out of `columns`");
  }
  result.filters_columns = must_filter(config, result.columns);
  return {};
}

Error is_unpublished(const CatalogTable& table, const std::string& publication) {
  const TableName& name = table.schema.name;
  const std::string alter = "ALTER PUBLICATION " + quote_identifier(publication);
  const std::string add = alter + " ADD TABLE " + quote_identifier(name);
  if (table.kind == 'p') {
    return Error{ErrorKind::setting,
                 "the publication does not publish the partitioned table, at best its partitions"}
        .with("table", to_string(name))
        .with("publication", publication)
        .fix(alter + " SET (publish_via_partition_root = true), and " + add +
             " if it lacks it; or name the partitions instead");
  }
  return Error{ErrorKind::setting, "the publication does not publish the table"}
      .with("table", to_string(name))
      .with("publication", publication)
      .fix(table.is_partition ? "name the table that it is a partition of instead, or " + add
                              : add);
}

Result<TablePublication> check_table(pg::Connection& connection,
                                     const TableConfig& config,
                                     const CatalogTable& table,
                                     std::span<const Published> published) {
  FRESHET_TRY(check_publishable(table));
  FRESHET_TRY([[maybe_unused]] const TableSchema selected, select_columns(table, config.columns));
  TablePublication result;
  result.name = config.name;
  FRESHET_TRY(take_columns(config, published, result));
  result.row_filter = join_filters(published);
  if (config.where.empty()) return result;
  FRESHET_TRY(const auto ours, published_form(connection, table, config.where));
  const bool is_same = ours && std::all_of(published.begin(), published.end(),
                                           [&](const auto& one) { return one.filter == *ours; });
  result.filters_rows = !is_same;
  return result;
}

Result<pg::Rows> load_publications(pg::Connection& connection, std::span<const std::string> names) {
  const std::string list = pg::array_literal(names);
  const std::array<Parameter, 1> parameters{list};
  return connection.query(sql::kSqlPublications, parameters);
}

Status check_all_exist(const pg::Rows& rows, std::span<const std::string> names) {
  for (const std::string& name : names) {
    bool is_found = false;
    for (int row = 0; row < rows.rows(); ++row)
      is_found |= rows.text(row, 0) == name;
    if (is_found) continue;
    return Error{ErrorKind::setting, "the publication does not exist at the source"}
        .with("publication", name)
        .fix("CREATE PUBLICATION " + quote_identifier(name) +
             " FOR TABLE ..., or leave `publications` out and freshet creates one");
  }
  return {};
}

void add_warnings(const pg::Rows& rows, std::vector<std::string>& warnings) {
  constexpr std::array<std::string_view, 4> kOperations{"inserts", "updates", "deletes",
                                                        "truncates"};
  for (int row = 0; row < rows.rows(); ++row) {
    for (int i = 0; i < 4; ++i) {
      if (rows.boolean(row, i + 1)) continue;
      warnings.push_back("publication " + quote_identifier(rows.text(row, 0)) +
                         " does not publish " +
                         std::string{kOperations[static_cast<std::size_t>(i)]} +
                         ": they will not reach the destinations");
    }
  }
}

Status execute_as_owner(pg::Connection& connection, const std::string& sql) {
  Status done = with_table_locks(connection, [&] { return connection.execute(sql); });
  if (done.ok() || done.error().sqlstate() != pg::sqlstate::kInsufficientPrivilege) return done;
  return Error{ErrorKind::permission, done.error().message()}
      .sqlstate(done.error().sqlstate())
      .fix("let a role that owns the tables and may create in the database run: " + sql);
}

}  // namespace

std::vector<TableName> names_of(std::span<const TableConfig> tables) {
  std::vector<TableName> names;
  for (const TableConfig& table : tables)
    names.push_back(table.name);
  return names;
}

Result<PublicationPlan> plan_publication(pg::Connection& connection,
                                         const PublicationRequest& request) {
  if (request.tables.empty()) {
    return Error{ErrorKind::config, "no table is named for the publication to be created"}.fix(
        "name tables under source.tables, or an existing publication");
  }
  PublicationPlan plan{.name = request.name, .sql = {}, .tables_sql = {}, .tables = {}};
  FRESHET_TRY(const auto catalog, load_tables(connection, names_of(request.tables)));
  FRESHET_TRY(auto faults, load_identity_faults(connection, catalog));
  for (std::size_t i = 0; i < catalog.size(); ++i) {
    FRESHET_TRY(PlannedTable table, plan_table(connection, request, request.tables[i], catalog[i],
                                               faults[catalog[i].schema.relation]));
    plan.tables_sql += (plan.tables_sql.empty() ? "" : ", ") + table.sql;
    plan.tables.push_back(std::move(table.publication));
  }
  plan.sql = "CREATE PUBLICATION " + quote_identifier(request.name) + " FOR TABLE " +
             plan.tables_sql +
             " WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = " +
             (request.publishes_via_root ? "true)" : "false)");
  return plan;
}

Status create_publication(pg::Connection& connection, const PublicationPlan& plan) {
  return execute_as_owner(connection, plan.sql);
}

Status update_publication(pg::Connection& connection, const PublicationRequest& request) {
  const std::array<Parameter, 1> parameters{request.name};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlPublicationMembers, parameters));
  std::set<TableName> surplus;
  for (int row = 0; row < rows.rows(); ++row)
    surplus.insert({rows.string(row, 0), rows.string(row, 1)});
  std::vector<TableConfig> missing;
  for (const TableConfig& table : request.tables) {
    if (surplus.erase(table.name) == 0) missing.push_back(table);
  }
  const std::string alter = "ALTER PUBLICATION " + quote_identifier(request.name);
  if (!missing.empty()) {
    PublicationRequest addition = request;
    addition.tables = missing;
    FRESHET_TRY(const PublicationPlan plan, plan_publication(connection, addition));
    FRESHET_TRY(execute_as_owner(connection, alter + " ADD TABLE " + plan.tables_sql));
  }
  for (const TableName& table : surplus) {
    FRESHET_TRY(
        execute_as_owner(connection, alter + " DROP TABLE ONLY " + quote_identifier(table)));
  }
  return {};
}

Status drop_publication(pg::Connection& connection, const std::string& name) {
  return connection.execute("DROP PUBLICATION IF EXISTS " + quote_identifier(name));
}

Result<bool> has_publication(pg::Connection& connection, const std::string& name) {
  const std::array<std::string, 1> names{name};
  FRESHET_TRY(const pg::Rows rows, load_publications(connection, names));
  return rows.rows() > 0;
}

Result<PublicationCheck> check_publications(pg::Connection& connection,
                                            std::span<const std::string> names,
                                            std::span<const TableConfig> tables) {
  FRESHET_TRY(const pg::Rows rows, load_publications(connection, names));
  FRESHET_TRY(check_all_exist(rows, names));
  PublicationCheck check;
  add_warnings(rows, check.warnings);
  FRESHET_TRY(const auto catalog, load_tables(connection, names_of(tables)));
  FRESHET_TRY(PublishedTables published, load_published(connection, names, catalog));
  FRESHET_TRY(const auto faults, load_identity_faults(connection, catalog));
  for (std::size_t i = 0; i < catalog.size(); ++i) {
    const std::vector<Published>& ways = published[catalog[i].schema.relation];
    if (ways.empty()) return is_unpublished(catalog[i], names.front());
    FRESHET_TRY(TablePublication table, check_table(connection, tables[i], catalog[i], ways));
    check.tables.push_back(std::move(table));
  }
  for (const auto& [oid, of] : faults) {
    for (const TableName& name : of.missing) {
      check.warnings.push_back(
          "table " + quote_identifier(name) +
          " has no replica identity: updates and deletes of it fail at the source");
    }
  }
  return check;
}

Result<std::vector<TableName>> list_published_tables(pg::Connection& connection,
                                                     std::span<const std::string> names) {
  FRESHET_TRY(const pg::Rows publications, load_publications(connection, names));
  FRESHET_TRY(check_all_exist(publications, names));
  const std::string list = pg::array_literal(names);
  const std::array<Parameter, 1> parameters{list};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlPublishedTables, parameters));
  std::vector<TableName> tables;
  for (int row = 0; row < rows.rows(); ++row) {
    tables.push_back({rows.string(row, 0), rows.string(row, 1)});
  }
  return tables;
}

}  // namespace freshet::source
