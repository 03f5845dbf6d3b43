#include "source/table_objects.h"

#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/try.h"
#include "pg/array_literal.h"
#include "source/sql/sql.h"

namespace freshet::source {
namespace {

// Numbers separated by spaces.
std::vector<std::int16_t> read_attnums(std::string_view text) {
  std::vector<std::int16_t> attnums;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end; ++at) {
    const auto read = std::from_chars(at, end, attnums.emplace_back());
    at = read.ptr;
  }
  return attnums;
}

}  // namespace

Result<std::map<Oid, std::vector<TableObject>>> load_objects(pg::Connection& connection,
                                                             std::span<const Oid> relations) {
  const std::string oids =
      pg::integer_array_literal(relations, [](Oid oid) { return to_integer(oid); });
  const std::array<std::optional<std::string_view>, 1> parameters{oids};
  FRESHET_TRY(const pg::Rows rows, connection.query(sql::kSqlTableObjects, parameters));
  std::map<Oid, std::vector<TableObject>> objects;
  for (int row = 0; row < rows.rows(); ++row) {
    const auto kind = parse_object_kind(rows.text(row, 1));
    if (!kind) return Error{ErrorKind::internal, "the catalogue query tells of an unknown kind"};
    objects[rows.oid(row, 0)].push_back({.kind = *kind,
                                         .name = rows.string(row, 2),
                                         .definition = rows.string(row, 3),
                                         .other = {rows.string(row, 4), rows.string(row, 5)},
                                         .judged = read_attnums(rows.text(row, 6))});
  }
  return objects;
}

}  // namespace freshet::source
