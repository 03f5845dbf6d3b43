#include "destinations/postgres/vector_type.h"

#include <charconv>

#include "base/try.h"
#include "destinations/postgres/sql.h"

namespace freshet::postgres {

std::optional<std::uint32_t> vector_dimensions(std::string_view type_sql) {
  const std::size_t open = type_sql.find('(');
  if (open == std::string_view::npos || !type_sql.ends_with(")")) return {};
  const std::string_view name = type_sql.substr(0, open);
  if (name != "vector" && !name.ends_with(".vector")) return {};
  std::uint32_t dimensions = 0;
  const char* last = type_sql.data() + type_sql.size() - 1;
  const auto [end, error] = std::from_chars(type_sql.data() + open + 1, last, dimensions);
  if (error != std::errc{} || end != last) return {};
  return dimensions;
}

Result<std::optional<std::string>> find_vector_schema(pg::Connection& connection) {
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlVectorSchema));
  if (rows.rows() == 0) return std::optional<std::string>{};
  return std::optional{rows.string(0, 0)};
}

Result<std::string> ensure_vector_extension(pg::Connection& connection) {
  FRESHET_TRY(std::optional<std::string> schema, find_vector_schema(connection));
  if (schema) return *std::move(schema);
  // In a savepoint where a transaction is open, so that its failure can be told in our words.
  const bool is_inside = connection.is_in_transaction();
  if (is_inside) FRESHET_TRY(connection.execute("SAVEPOINT freshet_vector"));
  Status created = connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public");
  if (!created.ok()) {
    if (created.error().kind() == ErrorKind::connection ||
        created.error().kind() == ErrorKind::cancelled) {
      return std::move(created).error();
    }
    if (is_inside) FRESHET_TRY(connection.execute("ROLLBACK TO SAVEPOINT freshet_vector"));
    return Error{ErrorKind::setting, "the destination has no pgvector and it could not be created"}
        .with("cause", created.error().message())
        .sqlstate(created.error().sqlstate())
        .fix(
            "install pgvector on the destination's server (package postgresql-NN-pgvector), then "
            "as superuser in this database: CREATE EXTENSION vector;");
  }
  if (is_inside) FRESHET_TRY(connection.execute("RELEASE SAVEPOINT freshet_vector"));
  FRESHET_TRY(schema, find_vector_schema(connection));
  if (!schema) return Error{ErrorKind::setting, "pgvector was created but is not there"};
  return *std::move(schema);
}

}  // namespace freshet::postgres
