#include <chrono>
#include <thread>

#include "pg/sqlstate.h"
#include "pg/testing/test_server.h"
#include "source/barrier.h"
#include "source/publication.h"
#include "source/replication_connection.h"
#include "source/slot.h"

namespace freshet::source {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class ReplicationPgTest : public pg::testing::ServerTest {
 protected:
  std::unique_ptr<ReplicationConnection> open_stream() {
    auto opened =
        ReplicationConnection::open({.url = url(), .application_name = "freshet test stream"});
    EXPECT_TRUE(opened.ok()) << opened.error().describe();
    return opened.ok() ? std::move(opened).value() : nullptr;
  }

  std::string slot() const { return database_ + "_slot"; }

  CreatedSlot create(ReplicationConnection& stream) {
    CreateSlotOptions options;
    options.name = slot();
    const auto created = stream.create_slot(options);
    EXPECT_TRUE(created.ok()) << created.error().describe();
    return created.ok() ? *created : CreatedSlot{};
  }

  StartOptions start_options(Lsn from) {
    return {.slot = slot(), .start = Position{from}, .publications = {"pub \"x\", 'y'"}};
  }

  void create_table_and_publication() {
    run("CREATE TABLE public.t (id int PRIMARY KEY, a text)");
    run("CREATE PUBLICATION \"pub \"\"x\"\", 'y'\" FOR TABLE public.t");
  }

  /// Reads messages until one of type `tag` comes; all tags seen.
  static std::string read_until(ReplicationConnection& stream, char tag) {
    std::string tags;
    const auto deadline = Clock::now() + 20s;
    while (Clock::now() < deadline) {
      const auto event = stream.receive({.wait_max = 200ms});
      EXPECT_TRUE(event.ok()) << event.error().describe();
      if (!event.ok()) return tags;
      if (const auto* data = std::get_if<WalData>(&*event)) {
        tags += data->bytes.front();
        if (tags.back() == tag) return tags;
      }
    }
    ADD_FAILURE() << "no " << tag << " in " << tags;
    return tags;
  }

  /// Waits until `sql` gives `wanted`.
  void expect_soon(const std::string& sql, const std::string& wanted) {
    const auto deadline = Clock::now() + 20s;
    while (text(*admin_, sql) != wanted && Clock::now() < deadline) {
      std::this_thread::sleep_for(20ms);
    }
    EXPECT_EQ(text(*admin_, sql), wanted) << sql;
  }
};

TEST_F(ReplicationPgTest, StreamsWholeTransactionsFromTheConsistentPoint) {
  create_table_and_publication();
  const auto stream = open_stream();
  const auto identity = stream->identify_system();
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(identity->database, database_);
  const CreatedSlot created = create(*stream);
  EXPECT_NE(created.consistent_point, kNoLsn);
  EXPECT_FALSE(created.snapshot_name.empty());
  run("INSERT INTO public.t VALUES (1, 'one'), (2, 'two')");
  ASSERT_TRUE(stream->start(start_options(created.consistent_point)).ok());
  EXPECT_EQ(read_until(*stream, 'C'), "BRIIC");
  const auto idle = stream->receive({.wait_max = 0ms});
  ASSERT_TRUE(idle.ok());

  // What is confirmed is not sent again, and shows at the slot.
  const Lsn end = *parse_lsn(text("SELECT pg_current_wal_flush_lsn()"));
  ASSERT_TRUE(stream->send_status({.written = end, .flushed = end, .applied = end}).ok());
  expect_soon("SELECT confirmed_flush_lsn >= '" + to_string(end) +
                  "' FROM pg_replication_slots WHERE slot_name = '" + slot() + "'",
              "t");
  ASSERT_TRUE(stream->stop().ok());
  bool has_ended = false;
  for (int i = 0; i < 100 && !has_ended; ++i) {
    const auto event = stream->receive({.wait_max = 200ms});
    ASSERT_TRUE(event.ok()) << event.error().describe();
    has_ended = std::holds_alternative<Ended>(*event);
  }
  EXPECT_TRUE(has_ended);
}

TEST_F(ReplicationPgTest, AnswersKeepalivesThatWantOne) {
  create_table_and_publication();
  const auto stream = open_stream();
  const CreatedSlot created = create(*stream);
  ASSERT_TRUE(stream->start(start_options(created.consistent_point)).ok());
  ASSERT_TRUE(stream->send_status({.flushed = created.consistent_point, .wants_reply = true}).ok());
  bool has_come = false;
  for (int i = 0; i < 100 && !has_come; ++i) {
    const auto event = stream->receive({.wait_max = 100ms});
    ASSERT_TRUE(event.ok());
    has_come = std::holds_alternative<Keepalive>(*event);
  }
  EXPECT_TRUE(has_come);
}

TEST_F(ReplicationPgTest, SlotInUseNamesThePid) {
  create_table_and_publication();
  const auto stream = open_stream();
  const CreatedSlot created = create(*stream);
  ASSERT_TRUE(stream->start(start_options(created.consistent_point)).ok());
  const auto second = open_stream();
  const Status started = second->start(start_options(created.consistent_point));
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().kind(), ErrorKind::slot_in_use) << started.error().describe();
  EXPECT_EQ(started.error().find("pid"), std::to_string(stream->connection().backend_pid()));
  EXPECT_EQ(drop_slot(*connection_, slot()).error().kind(), ErrorKind::slot_in_use);
}

TEST_F(ReplicationPgTest, MissingSlotIsAGap) {
  const auto stream = open_stream();
  const Status started = stream->start(start_options(kNoLsn));
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().kind(), ErrorKind::gap) << started.error().describe();
  EXPECT_TRUE(drop_slot(*connection_, slot()).ok());
  EXPECT_TRUE(open_stream()->drop_slot(slot()).ok());
}

TEST_F(ReplicationPgTest, MissingPublicationIsAGapAndNeverSilent) {
  run("CREATE TABLE public.t (id int PRIMARY KEY, a text)");
  const auto stream = open_stream();
  const CreatedSlot created = create(*stream);
  run("INSERT INTO public.t VALUES (1, 'one')");
  ASSERT_TRUE(stream->start(start_options(created.consistent_point)).ok());
  const auto deadline = Clock::now() + 20s;
  for (;;) {
    const auto event = stream->receive({.wait_max = 200ms});
    if (!event.ok()) {
      EXPECT_EQ(event.error().kind(), ErrorKind::gap) << event.error().describe();
      break;
    }
    // PG 14 sends transactions without rows, too.
    const auto* data = std::get_if<WalData>(&*event);
    ASSERT_TRUE(data == nullptr || data->bytes.front() != 'I');
    ASSERT_LT(Clock::now(), deadline);
  }
}

TEST_F(ReplicationPgTest, SlotCreationTellsForWhomItWaitsAndLeavesNothingWhenStopped) {
  run("CREATE TABLE public.t (id int)");
  run("BEGIN; INSERT INTO public.t VALUES (1)");
  const auto observer = connect(url());
  const auto stream = open_stream();
  CreateSlotOptions options;
  options.name = slot();
  options.observer = observer.get();
  int reports = 0;
  options.report = [&](std::span<const WaitedFor> waited_for) {
    ++reports;
    ASSERT_FALSE(waited_for.empty());
    EXPECT_NE(describe(waited_for).find(std::to_string(connection_->backend_pid())),
              std::string::npos)
        << describe(waited_for);
    stream->interrupt();
  };
  const auto created = stream->create_slot(options);
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().kind(), ErrorKind::cancelled);
  EXPECT_EQ(reports, 1);
  expect_soon("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" + slot() + "'", "0");
}

TEST_F(ReplicationPgTest, TerminatedWalsenderIsAConnectionError) {
  create_table_and_publication();
  const auto stream = open_stream();
  const CreatedSlot created = create(*stream);
  ASSERT_TRUE(stream->start(start_options(created.consistent_point)).ok());
  run(*admin_,
      "SELECT pg_terminate_backend(" + std::to_string(stream->connection().backend_pid()) + ")");
  for (;;) {
    const auto event = stream->receive({.wait_max = 5s});
    if (event.ok() && !std::holds_alternative<Ended>(*event)) continue;
    ASSERT_FALSE(event.ok());
    EXPECT_EQ(event.error().kind(), ErrorKind::connection) << event.error().describe();
    break;
  }
}

TEST_F(ReplicationPgTest, SlotRowAndIdentityAreRead) {
  create_table_and_publication();
  const auto stream = open_stream();
  const auto now = load_system_identity(*connection_);
  ASSERT_TRUE(now.ok()) << now.error().describe();
  const auto identified = stream->identify_system();
  EXPECT_EQ(now->system_identifier, identified->system_identifier);
  EXPECT_EQ(now->timeline, identified->timeline);
  const CreatedSlot created = create(*stream);
  const auto row = find_slot(*connection_, slot());
  ASSERT_TRUE(row.ok() && row->has_value());
  EXPECT_EQ((*row)->plugin, "pgoutput");
  EXPECT_EQ((*row)->database, database_);
  EXPECT_EQ((*row)->wal_status, WalStatus::reserved);
  EXPECT_TRUE((*row)->invalidation_reason.empty());

  const SlotIdentity stored{.system_identifier = now->system_identifier,
                            .timeline = now->timeline,
                            .slot_name = slot(),
                            .consistent_point = created.consistent_point,
                            .epoch = "e"};
  const IdentityCheck good{.stored = stored, .now = *now, .slot = *row, .least_durable = {}};
  EXPECT_TRUE(check_identity(good).ok());
  EXPECT_FALSE((*find_slot(*connection_, "no_such_slot")).has_value());
  const auto again = connect(url(), true);
  CreateSlotOptions options;
  options.name = slot();
  const auto twice = open_stream()->create_slot(options);
  EXPECT_EQ(twice.error().sqlstate(), pg::sqlstate::kDuplicateObject);
}

TEST_F(ReplicationPgTest, BarrierWaitsForOpenTransactionsAndSaysForWhom) {
  run("CREATE TABLE public.t (id int)");
  run("BEGIN; INSERT INTO public.t VALUES (1)");
  const auto waiter = connect(url());
  int reports = 0;
  const auto passed = pass_barrier(*waiter, kNoLsn, [&](std::span<const WaitedFor> waited_for) {
    ++reports;
    EXPECT_FALSE(waited_for.empty());
    run("COMMIT");
  });
  ASSERT_TRUE(passed.ok()) << passed.error().describe();
  EXPECT_EQ(reports, 1);
  run("BEGIN; INSERT INTO public.t VALUES (1)");
  const auto stopped =
      pass_barrier(*waiter, kNoLsn, [&](std::span<const WaitedFor>) { waiter->interrupt(); });
  EXPECT_EQ(stopped.error().kind(), ErrorKind::cancelled);
  run("ROLLBACK");
}

}  // namespace
}  // namespace freshet::source
