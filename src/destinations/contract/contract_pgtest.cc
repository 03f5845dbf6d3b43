// The contract suite over the Postgres destination. FRESHET_TEST_PG holds the URL of a server whose
// user may create databases; each test has a database of its own.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/sql_quote.h"
#include "destinations/contract/testing/contract_suite.h"
#include "destinations/registry.h"
#include "pg/connection.h"

namespace freshet {
namespace {

std::string server_url() {
  const char* const url = std::getenv("FRESHET_TEST_PG");
  return url == nullptr ? "" : url;
}

std::unique_ptr<pg::Connection> connect(const std::string& url) {
  pg::ConnectOptions options;
  options.url = url;
  options.application_name = "freshet contract";
  auto connection = pg::Connection::open(options);
  if (connection.ok()) return std::move(connection).value();
  ADD_FAILURE() << connection.error().describe();
  return nullptr;
}

class PostgresSubject final : public Subject {
 public:
  PostgresSubject() {
    static int count = 0;
    database_ = "freshet_contract_" + std::to_string(getpid()) + "_" + std::to_string(++count);
    run_on_server("CREATE DATABASE " + database_ + " TEMPLATE template0 ENCODING 'UTF8'");
    // In a URI a parameter wins over the path.
    const std::string server = server_url();
    url_ = server + (server.find('?') == std::string::npos ? "?" : "&") + "dbname=" + database_;
  }

  ~PostgresSubject() override { run_on_server("DROP DATABASE " + database_ + " WITH (FORCE)"); }

  Result<std::unique_ptr<Destination>> make() override {
    return make_destination({.name = "copy", .url = url_, .vector_index = {}});
  }

  std::optional<std::vector<VisibleRow>> rows(const TableSchema& schema) override {
    std::string columns;
    std::string order;
    for (std::size_t i = 0; i < schema.columns.size(); ++i) {
      columns += (i == 0 ? "" : ", ") + quote_identifier(schema.columns[i].name);
      order += (i == 0 ? "" : ", ") + std::to_string(i + 1);
    }
    const auto connection = connect(url_);
    std::vector<VisibleRow> seen;
    if (!connection) return seen;
    const auto rows = connection->query("SELECT " + columns + " FROM " +
                                        quote_identifier(schema.name) + " ORDER BY " + order);
    if (!rows.ok()) {
      ADD_FAILURE() << rows.error().describe();
      return seen;
    }
    for (int row = 0; row < rows->rows(); ++row) {
      VisibleRow& cells = seen.emplace_back();
      for (int column = 0; column < rows->columns(); ++column) {
        const auto value = rows->find(row, column);
        cells[std::string{rows->column_name(column)}] =
            value ? std::optional(std::string{*value}) : std::nullopt;
      }
    }
    return seen;
  }

 private:
  static void run_on_server(const std::string& sql) {
    const auto connection = connect(server_url());
    if (!connection) return;
    const Status status = connection->execute(sql);
    EXPECT_TRUE(status.ok()) << status.error().describe();
  }

  std::string database_;
  std::string url_;
};

std::unique_ptr<Subject> make_postgres_subject() {
  if (server_url().empty()) return nullptr;
  return std::make_unique<PostgresSubject>();
}

INSTANTIATE_TEST_SUITE_P(Server,
                         DestinationContract,
                         testing::Values(SubjectCase{
                             .name = "postgres",
                             .make = make_postgres_subject,
                             .skip_reason = "FRESHET_TEST_PG names no server"}),
                         [](const auto& subject) { return std::string{subject.param.name}; });

}  // namespace
}  // namespace freshet
