// SQLite behind RAII and Result: a connection, a statement, a transaction. Knows nothing of
// Freshet's tables. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "freshet/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace freshet {

/// A prepared statement. Parameters are bound in order, from ?1. A failed bind shows at next().
class Statement {
 public:
  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t number);
  Statement& bind_null();
  /// Steps to the next row; false at the end.
  Result<bool> next();
  /// Steps to the end; for statements without rows.
  Status run();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::string text(int column) const;  ///< Empty for NULL.

 private:
  friend class Database;

  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };

  Statement(class Database& database, sqlite3_stmt* statement);

  Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bound_ = 0;
  int bind_code_ = 0;
};

/// A connection to one file. Every error names the path and how to mend it.
class Database {
 public:
  /// Opens or creates `path` with mode 0600, its directories with 0700.
  static Result<std::unique_ptr<Database>> open(const std::string& path);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  Result<Statement> prepare(std::string_view sql);
  /// Runs a script of statements whose rows do not matter.
  Status run_script(const std::string& sql);

  const std::string& path() const noexcept { return path_; }

  /// The last failure, which had the SQLite result code `code`, as an Error.
  Error error(int code) const;

 private:
  Database(std::string path, sqlite3* connection);

  std::string path_;
  sqlite3* connection_;
};

/// Rolls back unless commit() succeeded.
class Transaction {
 public:
  /// Takes the write lock at once, so that it cannot fail later for having read too early.
  static Result<Transaction> begin_write(Database& database);
  static Result<Transaction> begin_read(Database& database);

  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }

  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}

  Database* database_;
};

}  // namespace freshet
