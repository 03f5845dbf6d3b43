// For *_pgtest.cc: the server that FRESHET_TEST_PG names, and a database of one's own on it.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "pg/connection.h"

namespace freshet::pg::testing {

/// The url of a superuser; null if tests of this kind are not wanted.
inline const char* server_url() {
  return std::getenv("FRESHET_TEST_PG");
}

/// The same url with another database or user.
inline std::string url_with(const std::string& key, const std::string& value) {
  const std::string url = server_url();
  return url + (url.find('?') == std::string::npos ? "?" : "&") + key + "=" + value;
}

/// Gives each test a database that is dropped afterwards. Skips, visibly, without a server.
class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (server_url() == nullptr) GTEST_SKIP() << "FRESHET_TEST_PG names no server";
    admin_ = connect(server_url());
    ASSERT_NE(admin_, nullptr);
    static int count = 0;
    database_ = "freshet_test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
    run(*admin_, "CREATE DATABASE " + database_ + " TEMPLATE template0");
    connection_ = connect(url());
    ASSERT_NE(connection_, nullptr);
  }

  void TearDown() override {
    connection_.reset();
    if (admin_ == nullptr) return;
    run(*admin_,
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '" +
            database_ + "' AND active");
    for (int i = 0; i < 100 && !is_slot_free(); ++i)
      usleep(20'000);
    run(*admin_,
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE "
        "database = '" +
            database_ + "'");
    run(*admin_, "DROP DATABASE " + database_ + " WITH (FORCE)");
  }

  bool is_slot_free() {
    return text(*admin_, "SELECT count(*) FROM pg_replication_slots WHERE active AND database = '" +
                             database_ + "'") == "0";
  }

  std::string url() const { return url_with("dbname", database_); }

  static std::unique_ptr<Connection> connect(const std::string& url, bool is_replication = false) {
    auto opened = Connection::open(
        {.url = url, .application_name = "freshet test", .is_replication = is_replication});
    EXPECT_TRUE(opened.ok()) << opened.error().describe();
    return opened.ok() ? std::move(opened).value() : nullptr;
  }

  static void run(Connection& connection, const std::string& sql) {
    const Status done = connection.execute(sql);
    EXPECT_TRUE(done.ok()) << sql << ": " << done.error().describe();
  }

  /// The first value of the first row.
  static std::string text(Connection& connection, const std::string& sql) {
    const auto rows = connection.query(sql);
    EXPECT_TRUE(rows.ok()) << sql << ": " << rows.error().describe();
    return rows.ok() && rows->rows() > 0 ? rows->string(0, 0) : "";
  }

  void run(const std::string& sql) { run(*connection_, sql); }

  std::string text(const std::string& sql) { return text(*connection_, sql); }

  std::unique_ptr<Connection> admin_;
  std::unique_ptr<Connection> connection_;
  std::string database_;
};

}  // namespace freshet::pg::testing
