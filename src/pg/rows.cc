#include "pg/rows.h"

#include <charconv>

#include <libpq-fe.h>

namespace freshet::pg {
namespace {

template <typename T>
T number_of(std::string_view text) noexcept {
  T number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && stop == text.data() + text.size() ? number : T{0};
}

}  // namespace

void ResultDeleter::operator()(pg_result* result) const noexcept {
  PQclear(result);
}

int Rows::rows() const noexcept {
  return PQntuples(raw());
}

int Rows::columns() const noexcept {
  return PQnfields(raw());
}

bool Rows::is_null(int row, int column) const noexcept {
  return PQgetisnull(raw(), row, column) != 0;
}

std::string_view Rows::text(int row, int column) const noexcept {
  const char* value = PQgetvalue(raw(), row, column);
  if (value == nullptr) return {};
  return {value, static_cast<std::size_t>(PQgetlength(raw(), row, column))};
}

std::optional<std::string_view> Rows::find(int row, int column) const noexcept {
  if (is_null(row, column)) return {};
  return text(row, column);
}

std::int64_t Rows::integer(int row, int column) const noexcept {
  return number_of<std::int64_t>(text(row, column));
}

std::uint64_t Rows::unsigned_integer(int row, int column) const noexcept {
  return number_of<std::uint64_t>(text(row, column));
}

Lsn Rows::lsn(int row, int column) const noexcept {
  return parse_lsn(text(row, column)).value_or(kNoLsn);
}

std::uint64_t Rows::affected() const noexcept {
  return number_of<std::uint64_t>(PQcmdTuples(raw()));
}

std::int16_t Rows::attnum(int column) const noexcept {
  return static_cast<std::int16_t>(PQftablecol(raw(), column));
}

std::string_view Rows::column_name(int column) const noexcept {
  const char* name = PQfname(raw(), column);
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

}  // namespace freshet::pg
