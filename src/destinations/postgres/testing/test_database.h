// An empty database on the server that FRESHET_TEST_PG names, for one test.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pg/connection.h"

namespace freshet::postgres {

class TestDatabase {
 public:
  /// The server's URL, or null where none is given: the test is skipped.
  static const char* server_url();
  static constexpr const char* kSkipReason = "FRESHET_TEST_PG is not set";

  TestDatabase();
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const std::string& url() const { return url_; }

  /// Statements as a user of the database would run them; aborts the test program if they fail.
  void run(std::string_view sql) { static_cast<void>(rows(sql)); }

  pg::Rows rows(std::string_view sql);
  /// Rows as text, columns joined by `|`, NULL as `-`.
  std::vector<std::string> lines(std::string_view sql);
  /// The first value.
  std::string value(std::string_view sql);
  bool has_vector();

 private:
  std::string name_;
  std::string url_;
  std::unique_ptr<pg::Connection> connection_;
};

}  // namespace freshet::postgres
