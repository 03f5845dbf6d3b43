#include "pg/error.h"

#include <gtest/gtest.h>

#include "pg/connect_parameters.h"

namespace freshet::pg {
namespace {

TEST(KindOfSqlstate, IsTotal) {
  const std::pair<std::string_view, ErrorKind> expected[] = {
      {"", ErrorKind::connection},       {"08006", ErrorKind::connection},
      {"57P01", ErrorKind::connection},  {"57P03", ErrorKind::connection},
      {"40001", ErrorKind::busy},        {"40P01", ErrorKind::busy},
      {"55P03", ErrorKind::busy},        {"53300", ErrorKind::busy},
      {"53200", ErrorKind::busy},        {"53100", ErrorKind::busy},
      {"28P01", ErrorKind::credentials}, {"28000", ErrorKind::credentials},
      {"3D000", ErrorKind::credentials}, {"42501", ErrorKind::permission},
      {"22P02", ErrorKind::data},        {"23505", ErrorKind::data},
      {"42703", ErrorKind::schema},      {"42804", ErrorKind::schema},
      {"42P01", ErrorKind::schema},      {"55000", ErrorKind::setting},
      {"42704", ErrorKind::setting},     {"0A000", ErrorKind::unsupported},
      {"ZZZZZ", ErrorKind::setting},
  };
  for (const auto& [code, kind] : expected) {
    EXPECT_EQ(kind_of_sqlstate(code), kind) << code;
  }
}

TEST(ReportError, TellsTheDetailOnlyOfDefinitions) {
  const auto error = [](std::string_view sqlstate) {
    return report_error({.severity = "ERROR",
                         .sqlstate = sqlstate,
                         .message = "m",
                         .detail = "d",
                         .context = {},
                         .schema = {},
                         .table = {},
                         .column = {},
                         .constraint = {}});
  };
  EXPECT_EQ(error("0A000").find("detail"), "d");
  EXPECT_EQ(error("2BP01").find("detail"), "d");
  EXPECT_EQ(error("23505").find("detail"), "");
}

TEST(ConnectError, NamesTheLineForPgHba) {
  const Error error = connect_error(
      {.message = "connection to server at \"10.0.0.1\", port 5432 failed: FATAL:  28000: no "
                  "pg_hba.conf entry for host \"10.0.0.2\", user \"u\", database \"d\"\nLOCATION:  "
                  "ClientAuthentication, auth.c:543\n",
       .sqlstate = "28000",
       .host = "10.0.0.1",
       .port = "5432",
       .user = "u",
       .database = "d"});
  EXPECT_EQ(error.kind(), ErrorKind::credentials);
  EXPECT_EQ(error.message(),
            "no pg_hba.conf entry for host \"10.0.0.2\", user \"u\", database \"d\"");
  EXPECT_NE(error.fix().find("host \"d\" \"u\""), std::string::npos) << error.fix();
}

constexpr const char* kRefused =
    "connection to server at \"localhost\" (::1), port 5432 failed: Connection refused\n"
    "\tIs the server running on that host and accepting TCP/IP connections?\n";

TEST(ConnectError, SaysWhatHappenedRatherThanWhatLibpqAsks) {
  ConnectFailure failure;
  failure.message = std::string{kRefused} + kRefused;
  const Error refused = connect_error(failure);
  EXPECT_EQ(refused.kind(), ErrorKind::connection);
  EXPECT_EQ(refused.message(), "Connection refused");
  EXPECT_NE(refused.fix().find("listen_addresses"), std::string::npos) << refused.fix();
  failure.message =
      "connection to server at \"h\", port 1 failed: server closed the connection unexpectedly\n"
      "\tThis probably means the server terminated abnormally\n"
      "\tbefore or after processing the request.\n";
  const Error lost = connect_error(failure);
  EXPECT_EQ(lost.message(), "server closed the connection unexpectedly");
}

TEST(ConnectError, OfSeveralHostsTheOneThatAnsweredIsTold) {
  const std::string answered =
      "connection to server at \"28P01\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password "
      "authentication failed for user \"u\"\nLOCATION:  auth_failed, auth.c:335\n";
  ConnectFailure failure;
  failure.sqlstate = "28P01";
  for (const std::string& message : {answered + kRefused, kRefused + answered}) {
    failure.message = message;
    EXPECT_EQ(connect_error(failure).message(), "password authentication failed for user \"u\"");
  }
}

TEST(Redact, RemovesEveryOccurrence) {
  EXPECT_EQ(redact("a hunter2 b hunter2", "hunter2"), "a *** b ***");
  EXPECT_EQ(redact("a message", "a"), "a message");
  EXPECT_EQ(redact("text", ""), "text");
}

TEST(ConnectParameters, RemoteHostsAreVerifiedUnlessTheUrlSaysOtherwise) {
  const auto find = [](const std::string& url, const std::string& key) {
    const auto parameters = connect_parameters({.url = url});
    EXPECT_TRUE(parameters.ok()) << url;
    for (const auto& [name, value] : parameters->values) {
      if (name == key) return value;
    }
    return std::string{};
  };
  EXPECT_EQ(find("postgresql://u@db.example.com/x", "sslmode"), "verify-full");
  EXPECT_EQ(find("postgresql://u@localhost,db.example.com/x", "sslmode"), "verify-full");
  EXPECT_EQ(find("host=db.example.com hostaddr=10.0.0.1", "sslmode"), "verify-full");
  EXPECT_EQ(find("postgresql://u@db.example.com/x?sslmode=require", "sslmode"), "");
  EXPECT_EQ(find("postgresql://u@db.example.com/x?sslmode=prefer", "sslmode"), "");
  EXPECT_EQ(find("postgresql://u@127.0.0.1/x", "sslmode"), "");
  EXPECT_EQ(find("postgresql:///x", "sslmode"), "");
  EXPECT_EQ(find("host=/run/postgresql", "sslmode"), "");
  EXPECT_EQ(find("postgresql://u@127.0.0.1/x?tcp_user_timeout=5", "tcp_user_timeout"), "");
}

TEST(ConnectParameters, KeepsTheUsersOptionsBeforeOurs) {
  const auto parameters =
      connect_parameters({.url = "postgresql:///x?options=-c%20work_mem%3D5MB"});
  ASSERT_TRUE(parameters.ok());
  for (const auto& [name, value] : parameters->values) {
    if (name == "options") {
      EXPECT_TRUE(value.starts_with("-c work_mem=5MB -c datestyle=ISO ")) << value;
    }
  }
}

TEST(ConnectParameters, BadUrlsAreConfigErrorsWithoutTheirText) {
  for (const std::string url : {"hunter2", "host='hunter2", "postgresql://u:hunter2%zz@h/",
                                "sslmode=hunter2", "service=nope password=hunter2"}) {
    const auto parameters = connect_parameters({.url = url});
    ASSERT_FALSE(parameters.ok()) << url;
    EXPECT_EQ(parameters.error().kind(), ErrorKind::config);
    if (url.starts_with("sslmode")) continue;
    EXPECT_EQ(parameters.error().describe().find("hunter2"), std::string::npos) << url;
  }
}

TEST(LocalHost, IsSocketOrLoopback) {
  EXPECT_TRUE(is_local_host(""));
  EXPECT_TRUE(is_local_host("/tmp"));
  EXPECT_TRUE(is_local_host("127.0.0.2,::1,localhost"));
  EXPECT_FALSE(is_local_host("127.evil.com"));
  EXPECT_FALSE(is_local_host("localhost,example.com"));
}

}  // namespace
}  // namespace freshet::pg
