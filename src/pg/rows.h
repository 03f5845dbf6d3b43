// The rows that a statement returned.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "freshet/lsn.h"

struct pg_result;

namespace freshet::pg {

struct ResultDeleter {
  void operator()(pg_result* result) const noexcept;
};

using ResultPtr = std::unique_ptr<pg_result, ResultDeleter>;

/// Values are in text form. Views live as long as the Rows.
class Rows {
 public:
  explicit Rows(ResultPtr result) : result_(std::move(result)) {}

  int rows() const noexcept;
  int columns() const noexcept;
  bool is_null(int row, int column) const noexcept;
  /// Empty for NULL.
  std::string_view text(int row, int column) const noexcept;

  std::string string(int row, int column) const { return std::string{text(row, column)}; }

  /// Nothing for NULL.
  std::optional<std::string_view> find(int row, int column) const noexcept;

  /// `t` as boolout prints it; false for NULL.
  bool boolean(int row, int column) const noexcept { return text(row, column) == "t"; }

  /// 0 for NULL and for what is no integer.
  std::int64_t integer(int row, int column) const noexcept;
  std::uint64_t unsigned_integer(int row, int column) const noexcept;

  Oid oid(int row, int column) const noexcept {
    return Oid{static_cast<std::uint32_t>(unsigned_integer(row, column))};
  }

  /// kNoLsn for NULL.
  Lsn lsn(int row, int column) const noexcept;
  /// Rows that the statement inserted, updated, deleted, copied or returned.
  std::uint64_t affected() const noexcept;
  std::string_view column_name(int column) const noexcept;
  /// Number of the table's column behind it; 0 if it is no mere column of a table.
  std::int16_t attnum(int column) const noexcept;

  pg_result* raw() const noexcept { return result_.get(); }

 private:
  ResultPtr result_;
};

}  // namespace freshet::pg
