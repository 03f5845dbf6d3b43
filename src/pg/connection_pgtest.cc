#include <chrono>
#include <thread>

#include "pg/connection.h"
#include "pg/sqlstate.h"
#include "pg/testing/test_server.h"

namespace freshet::pg {
namespace {

using namespace std::chrono_literals;
using testing::server_url;
using testing::url_with;

class ConnectionPgTest : public testing::ServerTest {
 protected:
  void TearDown() override {
    if (admin_ != nullptr && !role_.empty()) {
      connection_.reset();
      run(*admin_, "DROP OWNED BY " + role_ + "; DROP ROLE " + role_);
    }
    ServerTest::TearDown();
  }

  /// A role of this test alone.
  void make_role(const std::string& attributes) {
    role_ = database_ + "_role";
    run(*admin_, "CREATE ROLE " + role_ + " PASSWORD 'right' " + attributes);
  }

  std::string role_url(const std::string& password = "right") const {
    return url() + "&user=" + role_ + "&password=" + password;
  }

  static Error failure(const ConnectOptions& options) {
    const auto opened = Connection::open(options);
    EXPECT_FALSE(opened.ok());
    return opened.ok() ? Error{ErrorKind::internal, "it opened"} : opened.error();
  }

  std::string role_;
};

TEST_F(ConnectionPgTest, PinsTheSessionAgainstRoleAndDatabaseSettings) {
  make_role("LOGIN SUPERUSER REPLICATION");
  for (const std::string& owner : {"ROLE " + role_, "DATABASE " + database_}) {
    for (const std::string setting :
         {"datestyle = 'german'", "timezone = 'Asia/Kolkata'", "extra_float_digits = -15",
          "bytea_output = 'escape'", "intervalstyle = 'iso_8601'", "search_path = 'public'",
          "statement_timeout = '1s'", "lock_timeout = '1s'", "default_transaction_read_only = on",
          "row_security = on", "idle_in_transaction_session_timeout = '1s'",
          "idle_session_timeout = '1s'", "default_transaction_isolation = 'serializable'",
          "array_nulls = off", "client_encoding = 'LATIN1'", "jit = on"}) {
      run(*admin_, "ALTER " + owner + " SET " + setting);
    }
    if (admin_->server_version() >= 170'000) {
      run(*admin_, "ALTER " + owner + " SET transaction_timeout = '1s'");
    }
  }
  for (const bool is_replication : {false, true}) {
    const auto session = connect(role_url(), is_replication);
    ASSERT_NE(session, nullptr);
    const auto shown = [&](const std::string& sql) { return text(*session, "SELECT " + sql); };
    EXPECT_EQ(shown("date '2025-06-05'"), "2025-06-05");
    EXPECT_EQ(shown("timestamptz '2025-06-05 12:00:00+00'"), "2025-06-05 12:00:00+00");
    EXPECT_EQ(shown("0.1::float8 + 0.2::float8"), "0.30000000000000004");
    EXPECT_EQ(shown("'\\x00ff'::bytea"), "\\x00ff");
    EXPECT_EQ(shown("interval '1 day 2 hours'"), "1 day 02:00:00");
    EXPECT_EQ(shown("'{NULL}'::text[] IS NOT DISTINCT FROM ARRAY[NULL::text]"), "t");
    EXPECT_EQ(shown("current_setting('search_path')"), "");
    for (const std::string name : {"statement_timeout", "lock_timeout",
                                   "idle_in_transaction_session_timeout", "idle_session_timeout"}) {
      EXPECT_EQ(shown("current_setting('" + name + "')"), "0") << name;
    }
    if (session->server_version() >= 170'000) {
      EXPECT_EQ(shown("current_setting('transaction_timeout')"), "0");
    }
    EXPECT_EQ(shown("current_setting('transaction_read_only')"), "off");
    EXPECT_EQ(shown("current_setting('row_security')"), "off");
    EXPECT_EQ(shown("current_setting('jit')"), "off");
    EXPECT_EQ(shown("current_setting('client_encoding')"), "UTF8");
    EXPECT_EQ(shown("current_setting('transaction_isolation')"), "read committed");
  }
}

TEST_F(ConnectionPgTest, OurSettingsWinOverOptionsOfTheUrl) {
  const auto session = connect(url() + "&options=-c%20datestyle%3Dgerman%20-c%20work_mem%3D5MB");
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(text(*session, "SELECT date '2025-06-05'"), "2025-06-05");
  EXPECT_EQ(text(*session, "SHOW work_mem"), "5MB");
}

TEST_F(ConnectionPgTest, TellsWhyItCannotConnect) {
  const Error refused = failure({.url = "postgresql://u@127.0.0.1:1/x"});
  EXPECT_EQ(refused.kind(), ErrorKind::connection);
  EXPECT_NE(refused.fix().find("runs"), std::string::npos);

  const Error unknown_host = failure({.url = "postgresql://u@no-such-host.invalid/x"});
  EXPECT_EQ(unknown_host.kind(), ErrorKind::connection);
  EXPECT_NE(unknown_host.fix().find("host name"), std::string::npos) << unknown_host.describe();

  const Error database = failure({.url = url_with("dbname", "nope")});
  EXPECT_EQ(database.kind(), ErrorKind::credentials);
  EXPECT_EQ(database.sqlstate(), sqlstate::kUnknownDatabase);

  const Error role = failure({.url = url() + "&user=nobody_here"});
  EXPECT_EQ(role.kind(), ErrorKind::credentials) << role.describe();
  EXPECT_FALSE(role.fix().empty());

  const Error url = failure({.url = "postgresql://u:hunter2@host:x y/"});
  EXPECT_EQ(url.kind(), ErrorKind::config);
  EXPECT_EQ(url.describe().find("hunter2"), std::string::npos) << url.describe();
}

TEST_F(ConnectionPgTest, RoleWithoutReplicationIsToldTheStatementThatMendsIt) {
  make_role("LOGIN");
  const Error error = failure({.url = role_url(), .is_replication = true});
  EXPECT_EQ(error.kind(), ErrorKind::permission) << error.describe();
  EXPECT_NE(error.fix().find("ALTER ROLE \"" + role_ + "\" REPLICATION"), std::string::npos);
}

TEST_F(ConnectionPgTest, WrongPasswordIsNamedAndNotPrinted) {
  make_role("LOGIN");
  const auto opened = Connection::open({.url = role_url("hunter2")});
  if (opened.ok()) GTEST_SKIP() << "this server trusts every role";
  EXPECT_EQ(opened.error().kind(), ErrorKind::credentials);
  EXPECT_EQ(opened.error().sqlstate(), sqlstate::kInvalidPassword);
  EXPECT_EQ(opened.error().describe().find("hunter2"), std::string::npos);
}

TEST_F(ConnectionPgTest, InterruptEndsARunningStatementHereAndAtTheServer) {
  const int pid = connection_->backend_pid();
  const auto begin = std::chrono::steady_clock::now();
  std::jthread interrupter{[&] {
    std::this_thread::sleep_for(50ms);
    connection_->interrupt();
  }};
  const auto slept = connection_->query("SELECT pg_sleep(60)");
  ASSERT_FALSE(slept.ok());
  EXPECT_EQ(slept.error().kind(), ErrorKind::cancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_EQ(connection_->execute("SELECT 1").error().kind(), ErrorKind::cancelled);
  const std::string running =
      "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid = " +
      std::to_string(pid);
  const auto deadline = begin + 5s;
  while (text(*admin_, running) != "0" && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(text(*admin_, running), "0");
}

TEST_F(ConnectionPgTest, TerminatedSessionIsAConnectionError) {
  run(*admin_, "SELECT pg_terminate_backend(" + std::to_string(connection_->backend_pid()) + ")");
  const Status done = connection_->execute("SELECT 1");
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind(), ErrorKind::connection) << done.error().describe();
  EXPECT_EQ(connection_->execute("SELECT 1").error().kind(), ErrorKind::connection);
}

TEST_F(ConnectionPgTest, CopiesInAndOut) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, a text)");
  ASSERT_TRUE(connection_->start_copy_in("COPY public.t FROM STDIN").ok());
  std::string lines;
  for (int i = 0; i < 50'000; ++i)
    lines += std::to_string(i) + "\trow " + std::to_string(i) + "\n";
  ASSERT_TRUE(connection_->put_copy_data(lines).ok());
  const auto taken = connection_->end_copy_in();
  ASSERT_TRUE(taken.ok()) << taken.error().describe();
  EXPECT_EQ(*taken, 50'000U);

  ASSERT_TRUE(
      connection_->start_copy_out("COPY (SELECT * FROM public.t ORDER BY id) TO STDOUT").ok());
  std::string read;
  for (;;) {
    const auto row = connection_->next_copy_chunk();
    ASSERT_TRUE(row.ok());
    if (!*row) break;
    read += **row;
  }
  EXPECT_EQ(read, lines);
  EXPECT_EQ(connection_->copied_rows(), 50'000U);
}

TEST_F(ConnectionPgTest, CopyCanBeGivenUpEitherWay) {
  run("CREATE TABLE public.t (id int PRIMARY KEY)");
  ASSERT_TRUE(connection_->start_copy_in("COPY public.t FROM STDIN").ok());
  ASSERT_TRUE(connection_->put_copy_data("1\n2\n").ok());
  EXPECT_TRUE(connection_->abort_copy_in("no more").ok());
  EXPECT_EQ(text("SELECT count(*) FROM public.t"), "0");

  ASSERT_TRUE(
      connection_->start_copy_out("COPY (SELECT generate_series(1, 10000000)) TO STDOUT").ok());
  ASSERT_TRUE(connection_->next_copy_chunk().ok());
  EXPECT_TRUE(connection_->abort_copy_out().ok());
  EXPECT_EQ(text("SELECT 1"), "1");
}

TEST_F(ConnectionPgTest, ErrorsHoldNoValues) {
  const auto cast = connection_->query("SELECT 'secret value'::int");
  ASSERT_FALSE(cast.ok());
  EXPECT_EQ(cast.error().kind(), ErrorKind::data);
  EXPECT_EQ(cast.error().describe().find("secret"), std::string::npos) << cast.error().describe();
  run("CREATE TABLE public.t (id text PRIMARY KEY, n int)");
  ASSERT_TRUE(connection_->start_copy_in("COPY public.t FROM STDIN").ok());
  ASSERT_TRUE(connection_->put_copy_data("a\tsecret\n").ok());
  const auto copied = connection_->end_copy_in();
  ASSERT_FALSE(copied.ok());
  EXPECT_EQ(copied.error().describe().find("secret"), std::string::npos)
      << copied.error().describe();
  EXPECT_EQ(copied.error().find("at"), "COPY t, line 1, column n");
  run("INSERT INTO public.t VALUES ('secret', 1)");
  const Status twice = connection_->execute("INSERT INTO public.t VALUES ('secret', 1)");
  EXPECT_EQ(twice.error().kind(), ErrorKind::data);
  EXPECT_EQ(twice.error().find("constraint"), "t_pkey");
  EXPECT_EQ(twice.error().describe().find("secret"), std::string::npos);
}

TEST_F(ConnectionPgTest, ParametersAreTextAndNull) {
  const std::optional<std::string_view> parameters[] = {"it's \\ a \"test\"", std::nullopt};
  const auto rows = connection_->query("SELECT $1::text, $2::text", parameters);
  ASSERT_TRUE(rows.ok());
  EXPECT_EQ(rows->text(0, 0), "it's \\ a \"test\"");
  EXPECT_TRUE(rows->is_null(0, 1));
}

TEST_F(ConnectionPgTest, KeepsNotices) {
  run("DO $$ BEGIN RAISE WARNING 'look here'; END $$");
  const auto notices = connection_->take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].severity, "WARNING");
  EXPECT_EQ(notices[0].message, "look here");
}

}  // namespace
}  // namespace freshet::pg
