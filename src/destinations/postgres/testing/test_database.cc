#include "destinations/postgres/testing/test_database.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace freshet::postgres {
namespace {

std::unique_ptr<pg::Connection> connect(const std::string& url) {
  auto opened = pg::Connection::open(
      {.url = url, .application_name = "freshet test", .interrupter = nullptr});
  if (opened.ok()) return std::move(opened).value();
  std::fprintf(stderr, "%s\n", opened.error().describe().c_str());
  std::abort();
}

/// `url` with another database: the path of a libpq URI, before any `?`.
std::string with_database(const std::string& url, const std::string& name) {
  const std::size_t query = url.find('?');
  const std::string base = url.substr(0, query);
  const std::string rest = query == std::string::npos ? "" : url.substr(query);
  const std::size_t path = base.find('/', base.find("://") + 3);
  return base.substr(0, path) + "/" + name + rest;
}

}  // namespace

const char* TestDatabase::server_url() {
  return std::getenv("FRESHET_TEST_PG");
}

TestDatabase::TestDatabase() {
  static std::atomic<int> count{0};
  name_ = "freshet_test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
  const auto admin = connect(server_url());
  if (!admin->execute("CREATE DATABASE " + name_).ok()) std::abort();
  url_ = with_database(server_url(), name_);
  connection_ = connect(url_);
}

TestDatabase::~TestDatabase() {
  connection_.reset();
  const auto admin = connect(server_url());
  static_cast<void>(admin->execute("DROP DATABASE " + name_ + " WITH (FORCE)"));
}

pg::Rows TestDatabase::rows(std::string_view sql) {
  auto result = connection_->query(sql);
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "%s\n%s\n", std::string{sql}.c_str(), result.error().describe().c_str());
  std::abort();
}

std::vector<std::string> TestDatabase::lines(std::string_view sql) {
  const pg::Rows result = rows(sql);
  std::vector<std::string> lines;
  for (int row = 0; row < result.rows(); ++row) {
    std::string line;
    for (int column = 0; column < result.columns(); ++column) {
      if (column > 0) line += "|";
      line += result.is_null(row, column) ? "-" : result.string(row, column);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string TestDatabase::value(std::string_view sql) {
  const std::vector<std::string> all = lines(sql);
  return all.empty() ? "" : all.front();
}

bool TestDatabase::has_vector() {
  return value("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == "1";
}

}  // namespace freshet::postgres
