#include "core/assembler.h"

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/pgoutput/testing/message_builder.h"

namespace freshet {
namespace {

namespace make = pgoutput::testing;
using Strings = std::vector<std::string>;

constexpr std::uint32_t kCalls = 16400;
constexpr std::uint32_t kTurns = 16401;
const std::vector<make::ColumnSpec> kColumns{{"id", 20, true}, {"v", 25}};
const std::vector<make::ColumnSpec> kWideColumns{{"id", 20, true}, {"v", 25}, {"w", 25}};

/// Shows a value, so that whole transactions can be compared as text.
std::string show(const Value& value) {
  if (value.is_null()) return "null";
  return value.is_unchanged() ? "unchanged" : std::string{value.view()};
}

std::string show(RowView row) {
  std::string text;
  for (const Value& value : row)
    text += (text.empty() ? "" : ",") + show(value);
  return text;
}

/// "#0 calls.1 I 1,a": ordinal, table and schema version, operation, rows.
std::string show(const Item& item, const Change& change) {
  std::string text = "#" + std::to_string(change.id.ordinal) + " " + item.schema->name.table + "." +
                     std::to_string(item.schema->version) + " ";
  if (change.op == Op::insert) return text + "I " + show(change.after);
  if (change.op == Op::remove) return text + "D " + show(change.before);
  return text + "U " + (change.before.empty() ? "" : show(change.before) + " > ") +
         show(change.after);
}

void show(const Item& item, Strings& out) {
  switch (item.kind) {
    case Item::Kind::rows:
      for (const Change& change : item.changes)
        out.push_back(show(item, change));
      return;
    case Item::Kind::truncate: {
      std::string text = "T";
      for (const SchemaPtr& schema : item.truncated)
        text += " " + schema->name.table;
      out.push_back(text + (item.is_cascade ? " cascade" : "") +
                    (item.restarts_identity ? " restart" : ""));
      return;
    }
    case Item::Kind::message:
      out.push_back("M " + std::string{item.prefix} + ":" + std::string{item.content});
      return;
    case Item::Kind::definition:
      out.push_back("definition of " + item.schema->name.table);
      return;
  }
}

Strings contents(const Transaction& transaction) {
  Strings out;
  TransactionReader reader = transaction.read();
  Piece piece;
  while (true) {
    const Result<bool> more = reader.next(piece);
    EXPECT_TRUE(more.ok()) << (more.ok() ? "" : more.error().describe());
    if (!more.ok() || !*more) return out;
    EXPECT_FALSE(piece.items().empty());
    for (const Item& item : std::as_const(piece).items())
      show(item, out);
  }
}

class AssemblerTest : public ::testing::Test {
 protected:
  explicit AssemblerTest(std::size_t memory_bytes_max = std::size_t{1} << 20)
      : assembler_({.memory_bytes_max = memory_bytes_max}, spill_) {}

  /// Pushes messages; keeps the transactions that commit. LSNs count up from 1001.
  void push(const Strings& messages) {
    for (const std::string& message : messages) {
      Result<TransactionPtr> result = assembler_.push(Lsn{++lsn_}, message);
      ASSERT_TRUE(result.ok()) << message.front() << ": " << result.error().describe();
      if (*result != nullptr) committed_.push_back(*result);
    }
  }

  /// Pushes all; the last one must be refused.
  Error refuse(const Strings& messages) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Result<TransactionPtr> result = assembler_.push(Lsn{++lsn_}, messages[i]);
      if (i + 1 == messages.size() && !result.ok()) return result.error();
      EXPECT_TRUE(result.ok()) << messages[i].front();
    }
    ADD_FAILURE() << "was accepted";
    return Error{ErrorKind::internal, ""};
  }

  void refuse_as_protocol(const Strings& messages) {
    EXPECT_EQ(refuse(messages).kind(), ErrorKind::protocol);
    assembler_.reset();
  }

  Strings last_contents() const {
    return committed_.empty() ? Strings{"nothing was committed"} : contents(*committed_.back());
  }

  MemorySpillStore spill_;
  Assembler assembler_;
  std::uint64_t lsn_ = 1000;
  std::vector<TransactionPtr> committed_;
};

TEST_F(AssemblerTest, CommitReturnsWholeTransaction) {
  push({make::begin(500, 7), make::relation(kCalls, "calls", kColumns),
        make::insert(kCalls, {"1", "a"}), make::update(kCalls, 0, {}, {"1", make::kUnchanged}),
        make::update(kCalls, 'K', {"1", {}}, {"2", "b"}), make::remove(kCalls, 'K', {"2", {}})});
  EXPECT_TRUE(committed_.empty());
  push({make::commit(500, 510)});
  ASSERT_EQ(committed_.size(), 1U);
  const TransactionInfo& info = committed_[0]->info();
  EXPECT_EQ(info.xid, Xid{7});
  EXPECT_EQ(info.commit_lsn, Lsn{500});
  EXPECT_EQ(info.end_lsn, Lsn{510});
  EXPECT_EQ(info.committed_at, SourceTime{1000});
  EXPECT_EQ(committed_[0]->change_count(), 4U);
  EXPECT_EQ(last_contents(), (Strings{"#0 calls.1 I 1,a", "#1 calls.1 U 1,unchanged",
                                      "#2 calls.1 U 1,null > 2,b", "#3 calls.1 D 2,null"}));
}

TEST_F(AssemblerTest, ChangesCarryIdLsnAndTransaction) {
  push({make::begin(500, 7), make::relation(kCalls, "calls", kColumns),
        make::insert(kCalls, {"1", "a"}), make::commit(500, 510)});
  Piece piece;
  TransactionReader reader = committed_[0]->read();
  ASSERT_TRUE(reader.next(piece).value());
  const Change& change = piece.items()[0].changes[0];
  EXPECT_EQ(change.id, (ChangeId{Lsn{500}, 0}));
  EXPECT_EQ(change.lsn, Lsn{1003});
  EXPECT_EQ(change.transaction, &committed_[0]->info());
}

TEST_F(AssemblerTest, EmptyTransactionIsReturnedForItsEndLsn) {
  push({make::begin(500, 7), make::commit(500, 510)});
  ASSERT_EQ(committed_.size(), 1U);
  EXPECT_TRUE(committed_[0]->is_empty());
  EXPECT_EQ(committed_[0]->byte_size(), 0U);
  EXPECT_EQ(committed_[0]->info().end_lsn, Lsn{510});
  EXPECT_EQ(last_contents(), Strings{});
}

TEST_F(AssemblerTest, ConsecutiveRowsOfOneTableShareAnItem) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns),
        make::relation(kTurns, "turns", kColumns), make::insert(kCalls, {"1", "a"}),
        make::insert(kCalls, {"2", "a"}), make::insert(kTurns, {"3", "a"}),
        make::insert(kCalls, {"4", "a"}), make::commit(1, 2)});
  Piece piece;
  TransactionReader reader = committed_[0]->read();
  ASSERT_TRUE(reader.next(piece).value());
  ASSERT_EQ(piece.items().size(), 3U);
  EXPECT_EQ(piece.items()[0].changes.size(), 2U);
  EXPECT_EQ(piece.items()[0].schema, piece.items()[2].schema);
  EXPECT_FALSE(reader.next(piece).value());
}

TEST_F(AssemblerTest, TruncateNamesAllTablesAndFlags) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns),
        make::relation(kTurns, "turns", kColumns), make::insert(kCalls, {"1", "a"}),
        make::truncate({kCalls, kTurns}, 3), make::insert(kCalls, {"2", "b"}), make::commit(1, 2)});
  EXPECT_EQ(last_contents(),
            (Strings{"#0 calls.1 I 1,a", "T calls turns cascade restart", "#1 calls.1 I 2,b"}));
}

TEST_F(AssemblerTest, TransactionWithOnlyATruncateIsNotEmpty) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns), make::truncate({kCalls}),
        make::commit(1, 2)});
  EXPECT_FALSE(committed_[0]->is_empty());
  EXPECT_EQ(committed_[0]->change_count(), 0U);
}

TEST_F(AssemblerTest, TransactionalMessageKeepsItsPlaceAndCountsNoOrdinal) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns),
        make::insert(kCalls, {"1", "a"}), make::logical_message("p", "body"),
        make::insert(kCalls, {"2", "b"}), make::commit(1, 2)});
  EXPECT_EQ(last_contents(), (Strings{"#0 calls.1 I 1,a", "M p:body", "#1 calls.1 I 2,b"}));
}

TEST_F(AssemblerTest, StandaloneMessageIsCountedAndNotDelivered) {
  push({make::logical_message("p", "body", false)});
  EXPECT_TRUE(committed_.empty());
  EXPECT_EQ(assembler_.counters().standalone_messages, 1U);
  refuse_as_protocol({make::logical_message("p", "body", true)});
}

TEST_F(AssemblerTest, OriginIsKeptWithItsTransactionOnly) {
  push({make::begin(1, 7), make::origin("node_b"), make::commit(1, 2), make::begin(3, 8),
        make::commit(3, 4)});
  EXPECT_EQ(committed_[0]->origin(), "node_b");
  EXPECT_EQ(committed_[1]->origin(), "");
}

TEST_F(AssemblerTest, TypesAreRemembered) {
  push({make::begin(1, 7), make::type(16500, "mood"), make::commit(1, 2)});
  ASSERT_NE(assembler_.find_type(Oid{16500}), nullptr);
  EXPECT_EQ(assembler_.find_type(Oid{16500})->name, "mood");
  EXPECT_EQ(assembler_.find_type(Oid{1}), nullptr);
}

// Relations.

TEST_F(AssemblerTest, EqualRelationKeepsItsSchema) {
  for (std::uint64_t lsn = 1; lsn < 4; lsn += 2) {
    push({make::begin(lsn, 7), make::relation(kCalls, "calls", kColumns),
          make::insert(kCalls, {"1", "a"}), make::commit(lsn, lsn + 1)});
  }
  EXPECT_EQ(committed_[0]->schemas()[0], committed_[1]->schemas()[0]);
}

TEST_F(AssemblerTest, RelationHoldsInLaterTransactions) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns), make::commit(1, 2),
        make::begin(3, 8), make::insert(kCalls, {"1", "a"}), make::commit(3, 4)});
  EXPECT_EQ(last_contents(), Strings{"#0 calls.1 I 1,a"});
}

TEST_F(AssemblerTest, ChangedRelationIsANewVersionFromThereOn) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns),
        make::insert(kCalls, {"1", "a"}), make::relation(kCalls, "calls", kWideColumns),
        make::insert(kCalls, {"2", "b", "c"}), make::commit(1, 2)});
  EXPECT_EQ(last_contents(), (Strings{"#0 calls.1 I 1,a", "#1 calls.2 I 2,b,c"}));
}

TEST_F(AssemblerTest, SchemaHasWhatTheRelationSaid) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", {{"id", 20, true}, {"mood", 16500}}),
        make::insert(kCalls, {"1", "a"}), make::commit(1, 2)});
  const TableSchema& schema = *committed_[0]->schemas()[0];
  EXPECT_EQ(schema.relation, Oid{kCalls});
  EXPECT_EQ(schema.name, (TableName{"public", "calls"}));
  EXPECT_TRUE(schema.columns[0].is_identity);
  EXPECT_TRUE(schema.columns[0].is_builtin_type);
  EXPECT_FALSE(schema.columns[1].is_builtin_type);
  EXPECT_EQ(schema.columns[1].type, Oid{16500});
}

TEST_F(AssemblerTest, ManyTablesInOneTransactionKeepTheirSchemas) {
  Strings messages{make::begin(1, 7)};
  for (std::uint32_t oid = 1; oid <= 50; ++oid) {
    messages.push_back(make::relation(oid, "t" + std::to_string(oid), kColumns));
  }
  for (std::uint32_t oid = 1; oid <= 100; ++oid) {
    messages.push_back(make::insert((oid - 1) % 50 + 1, {std::to_string(oid), "a"}));
  }
  messages.push_back(make::commit(1, 2));
  push(messages);
  EXPECT_EQ(committed_[0]->schemas().size(), 50U);
  const Strings rows = last_contents();
  ASSERT_EQ(rows.size(), 100U);
  EXPECT_EQ(rows[98], "#98 t49.1 I 99,a");
}

// Streamed transactions.

TEST_F(AssemblerTest, StreamedTransactionAppearsAtItsCommit) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 7),
        make::insert(kCalls, {"1", "a"}, 7), make::stream_stop(), make::stream_start(7, false),
        make::insert(kCalls, {"2", "b"}, 7), make::stream_stop()});
  EXPECT_TRUE(committed_.empty());
  EXPECT_EQ(assembler_.open_transactions(), 1U);
  push({make::stream_commit(7, 500, 510)});
  EXPECT_EQ(last_contents(), (Strings{"#0 calls.1 I 1,a", "#1 calls.1 I 2,b"}));
  EXPECT_EQ(committed_[0]->info().xid, Xid{7});
  EXPECT_EQ(committed_[0]->info().end_lsn, Lsn{510});
  EXPECT_EQ(assembler_.memory_bytes(), 0U);
}

TEST_F(AssemblerTest, InterleavedStreamsStayApart) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 7),
        make::insert(kCalls, {"1", "seven"}, 7), make::stream_stop(), make::stream_start(8, true),
        make::relation(kCalls, "calls", kColumns, 8), make::insert(kCalls, {"2", "eight"}, 8),
        make::stream_stop(), make::begin(100, 9), make::relation(kCalls, "calls", kColumns),
        make::insert(kCalls, {"3", "nine"}), make::commit(100, 101), make::stream_start(7, false),
        make::insert(kCalls, {"4", "seven"}, 7), make::stream_stop(),
        make::stream_commit(8, 200, 201), make::stream_commit(7, 300, 301)});
  ASSERT_EQ(committed_.size(), 3U);
  EXPECT_EQ(contents(*committed_[0]), Strings{"#0 calls.1 I 3,nine"});
  EXPECT_EQ(contents(*committed_[1]), Strings{"#0 calls.1 I 2,eight"});
  EXPECT_EQ(contents(*committed_[2]), (Strings{"#0 calls.1 I 1,seven", "#1 calls.1 I 4,seven"}));
}

TEST_F(AssemblerTest, RowsOfAbortedSubtransactionVanishAndTakeNoOrdinals) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 7),
        make::insert(kCalls, {"1", "a"}, 7), make::insert(kCalls, {"2", "sub"}, 8),
        make::truncate({kCalls}, 0, 8), make::logical_message("p", "m", true, 8),
        make::insert(kCalls, {"3", "kept"}, 9), make::stream_stop(), make::stream_abort(7, 8),
        make::stream_start(7, false), make::insert(kCalls, {"4", "b"}, 7), make::stream_stop(),
        make::stream_commit(7, 500, 510)});
  EXPECT_EQ(committed_[0]->change_count(), 3U);
  EXPECT_EQ(last_contents(),
            (Strings{"#0 calls.1 I 1,a", "#1 calls.1 I 3,kept", "#2 calls.1 I 4,b"}));
}

TEST_F(AssemblerTest, AbortOfUnknownSubtransactionIsNoOp) {
  push({make::stream_start(7, true), make::stream_stop(), make::stream_abort_parallel(7, 8),
        make::stream_abort(55, 55), make::stream_abort(55, 56), make::stream_start(7, false),
        make::relation(kCalls, "calls", kColumns, 7), make::insert(kCalls, {"1", "a"}, 7),
        make::stream_stop(), make::stream_commit(7, 500, 510)});
  EXPECT_EQ(last_contents(), Strings{"#0 calls.1 I 1,a"});
}

TEST_F(AssemblerTest, TransactionIsEmptyWhenAllItsSubtransactionsWereAborted) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 8),
        make::insert(kCalls, {"1", "a"}, 8), make::stream_stop(), make::stream_abort(7, 8),
        make::stream_commit(7, 500, 510)});
  EXPECT_TRUE(committed_[0]->is_empty());
  EXPECT_EQ(committed_[0]->memory_bytes(), 0U);
  EXPECT_EQ(last_contents(), Strings{});
}

TEST_F(AssemblerTest, AbortOfWholeStreamForgetsIt) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 7),
        make::insert(kCalls, {"1", "a"}, 7), make::stream_stop(), make::stream_abort(7, 7)});
  EXPECT_TRUE(committed_.empty());
  EXPECT_EQ(assembler_.open_transactions(), 0U);
  EXPECT_EQ(assembler_.memory_bytes(), 0U);
  EXPECT_EQ(assembler_.counters().rolled_back, 1U);
  // Its relation went with it.
  refuse_as_protocol({make::begin(1, 8), make::insert(kCalls, {"1", "a"})});
}

TEST_F(AssemblerTest, RelationOfAStreamIsItsOwnUntilItCommits) {
  push({make::begin(1, 6), make::relation(kCalls, "calls", kColumns), make::commit(1, 2),
        make::stream_start(7, true), make::relation(kCalls, "calls", kWideColumns, 7),
        make::insert(kCalls, {"1", "a", "b"}, 7), make::stream_stop(), make::begin(3, 8),
        make::insert(kCalls, {"2", "old"}), make::commit(3, 4), make::stream_commit(7, 5, 6),
        make::begin(7, 9), make::insert(kCalls, {"3", "c", "d"}), make::commit(7, 8)});
  ASSERT_EQ(committed_.size(), 4U);
  EXPECT_EQ(contents(*committed_[1]), Strings{"#0 calls.1 I 2,old"});
  EXPECT_EQ(contents(*committed_[2]), Strings{"#0 calls.2 I 1,a,b"});
  EXPECT_EQ(contents(*committed_[3]), Strings{"#0 calls.2 I 3,c,d"});
}

TEST_F(AssemblerTest, RelationOfAbortedSubtransactionHoldsOnInItsTransaction) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 8),
        make::insert(kCalls, {"1", "a"}, 8), make::stream_stop(), make::stream_abort(7, 8),
        make::stream_start(7, false), make::insert(kCalls, {"2", "b"}, 7), make::stream_stop(),
        make::stream_commit(7, 5, 6)});
  EXPECT_EQ(last_contents(), Strings{"#0 calls.1 I 2,b"});
}

TEST_F(AssemblerTest, DdlOfAbortedSubtransactionIsUndoneByTheNextRelation) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 7),
        make::insert(kCalls, {"1", "a"}, 7), make::relation(kCalls, "calls", kWideColumns, 8),
        make::insert(kCalls, {"2", "b", "c"}, 8), make::stream_stop(), make::stream_abort(7, 8),
        make::stream_start(7, false), make::relation(kCalls, "calls", kColumns, 7),
        make::insert(kCalls, {"3", "d"}, 7), make::stream_stop(), make::stream_commit(7, 5, 6)});
  const Strings rows = last_contents();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0], "#0 calls.1 I 1,a");
  EXPECT_EQ(rows[1], "#1 calls.3 I 3,d");
}

TEST_F(AssemblerTest, LaterRelationOutlivesCommitOfAnOlderStream) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 7),
        make::insert(kCalls, {"1", "a"}, 7), make::stream_stop(), make::begin(1, 8),
        make::relation(kCalls, "calls", kWideColumns), make::commit(1, 2),
        make::stream_commit(7, 3, 4), make::begin(5, 9), make::insert(kCalls, {"2", "b", "c"}),
        make::commit(5, 6)});
  EXPECT_EQ(last_contents(), Strings{"#0 calls.2 I 2,b,c"});
}

// Two-phase transactions.

constexpr Position kDurable{Lsn{1000}};

TEST_F(AssemblerTest, PreparedTransactionAppearsAtCommitPrepared) {
  push({make::begin_prepare(100, 7, "g"), make::relation(kCalls, "calls", kColumns),
        make::insert(kCalls, {"1", "a"}), make::prepare(100, 7, "g")});
  EXPECT_TRUE(committed_.empty());
  EXPECT_EQ(assembler_.hold_below(kDurable), Lsn{100});
  push({make::commit_prepared(300, 310, 7, "g")});
  EXPECT_EQ(assembler_.hold_below(Position{Lsn{309}}), Lsn{100}) << "its rows are not durable yet";
  EXPECT_EQ(assembler_.hold_below(Position{Lsn{310}}), std::nullopt);
  EXPECT_EQ(last_contents(), Strings{"#0 calls.1 I 1,a"});
  EXPECT_EQ(committed_[0]->info().commit_lsn, Lsn{300});
  EXPECT_EQ(committed_[0]->info().end_lsn, Lsn{310});
  EXPECT_EQ(committed_[0]->info().xid, Xid{7});
}

TEST_F(AssemblerTest, StreamedPreparedTransactionAppearsAtCommitPrepared) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 7),
        make::insert(kCalls, {"1", "a"}, 7), make::insert(kCalls, {"2", "gone"}, 8),
        make::stream_stop(), make::stream_abort(7, 8), make::stream_prepare(100, 7, "it's")});
  EXPECT_EQ(assembler_.hold_below(kDurable), Lsn{100});
  push({make::begin(200, 9), make::commit(200, 201), make::commit_prepared(300, 310, 7, "it's")});
  EXPECT_EQ(last_contents(), Strings{"#0 calls.1 I 1,a"});
}

TEST_F(AssemblerTest, HoldsBelowTheLeastUndecidedPrepare) {
  push({make::begin_prepare(100, 7, "a"), make::prepare(100, 7, "a"),
        make::begin_prepare(200, 8, "b")});
  EXPECT_EQ(assembler_.hold_below(kDurable), Lsn{100});
  push({make::prepare(200, 8, "b"), make::commit_prepared(300, 301, 7, "a")});
  EXPECT_EQ(assembler_.hold_below(kDurable), Lsn{200});
  push({make::rollback_prepared(208, 8, "b")});
  EXPECT_EQ(assembler_.hold_below(kDurable), std::nullopt);
  EXPECT_EQ(assembler_.counters().rolled_back, 1U);
}

TEST_F(AssemblerTest, EmptyPreparedTransactionIsReturned) {
  push({make::begin_prepare(100, 7, ""), make::prepare(100, 7, ""),
        make::commit_prepared(300, 301, 7, "")});
  EXPECT_TRUE(committed_.at(0)->is_empty());
}

TEST_F(AssemblerTest, RollbackOfUnknownPreparedTransactionIsIgnored) {
  push({make::rollback_prepared(100, 7, "g")});
}

TEST_F(AssemblerTest, CommitOfUnknownPreparedTransactionIsAGap) {
  const Error error = refuse({make::commit_prepared(300, 310, 7, "g")});
  EXPECT_EQ(error.kind(), ErrorKind::gap);
  EXPECT_FALSE(error.fix().empty());
}

TEST_F(AssemblerTest, CommitOfUnknownPreparedTransactionBelowPositionIsSkipped) {
  assembler_.skip_upto(Position{Lsn{310}});
  push({make::commit_prepared(300, 310, 7, "g")});
  EXPECT_TRUE(committed_.empty());
  EXPECT_EQ(refuse({make::commit_prepared(305, 311, 7, "g")}).kind(), ErrorKind::gap);
}

TEST_F(AssemblerTest, CommitOfWhatWasPreparedLaterButNotSentIsOfNothing) {
  assembler_.set_undecided({.gids = {"before", "again"}, .upto = Lsn{250}});
  push({make::commit_prepared(300, 310, 7, "g")});
  EXPECT_TRUE(committed_.empty());
  EXPECT_EQ(refuse({make::commit_prepared(250, 251, 8, "g")}).kind(), ErrorKind::gap);
  EXPECT_EQ(refuse({make::commit_prepared(300, 310, 7, "before")}).kind(), ErrorKind::gap);
  push({make::rollback_prepared(320, 7, "again"), make::commit_prepared(330, 331, 9, "again"),
        make::begin_prepare(340, 10, "before"), make::prepare(340, 10, "before"),
        make::commit_prepared(350, 351, 10, "before"),
        make::commit_prepared(360, 361, 11, "before")});
  EXPECT_EQ(committed_.size(), 1U);
}

TEST_F(AssemblerTest, NameOfPreparedTransactionMayBeUsedAgain) {
  for (std::uint64_t lsn = 100; lsn <= 200; lsn += 100) {
    push({make::begin_prepare(lsn, 7, "g"), make::prepare(lsn, 7, "g"),
          make::commit_prepared(lsn + 10, lsn + 11, 7, "g")});
  }
  EXPECT_EQ(committed_.size(), 2U);
  refuse_as_protocol({make::begin_prepare(1, 7, "g"), make::prepare(1, 7, "g"),
                      make::begin_prepare(3, 8, "g"), make::prepare(3, 8, "g")});
}

TEST_F(AssemblerTest, ResetForgetsEverythingInProgress) {
  push({make::begin_prepare(100, 7, "g"), make::relation(kCalls, "calls", kColumns),
        make::prepare(100, 7, "g"), make::stream_start(8, true), make::stream_stop(),
        make::begin(1, 9)});
  assembler_.reset();
  EXPECT_EQ(assembler_.open_transactions(), 0U);
  EXPECT_EQ(assembler_.hold_below(kDurable), std::nullopt);
  EXPECT_EQ(assembler_.memory_bytes(), 0U);
  refuse_as_protocol({make::begin(1, 9), make::insert(kCalls, {"1", "a"})});
  push({make::begin_prepare(100, 7, "g"), make::prepare(100, 7, "g"), make::stream_start(8, true),
        make::stream_stop(), make::stream_commit(8, 5, 6)});
}

// Violations.

TEST_F(AssemblerTest, RefusesMessagesOutOfOrder) {
  const std::string insert = make::insert(kCalls, {"1", "a"});
  refuse_as_protocol({make::commit(1, 2)});
  refuse_as_protocol({insert});
  refuse_as_protocol({make::truncate({kCalls})});
  refuse_as_protocol({make::relation(kCalls, "calls", kColumns)});
  refuse_as_protocol({make::type(1, "t")});
  refuse_as_protocol({make::origin("o")});
  refuse_as_protocol({make::begin(1, 7), make::begin(1, 7)});
  refuse_as_protocol({make::begin(1, 7), make::commit(2, 3)});
  refuse_as_protocol({make::begin(1, 7), make::stream_start(8, true)});
  refuse_as_protocol({make::begin(1, 7), make::prepare(1, 7, "g")});
  refuse_as_protocol({make::begin_prepare(1, 7, "g"), make::commit(1, 2)});
  refuse_as_protocol({make::begin_prepare(1, 7, "g"), make::prepare(1, 7, "h")});
  refuse_as_protocol({make::begin_prepare(1, 7, "g"), make::commit_prepared(1, 2, 7, "g")});
}

TEST_F(AssemblerTest, RefusesStreamMessagesOutOfOrder) {
  const std::string start = make::stream_start(7, true);
  const std::string stop = make::stream_stop();
  refuse_as_protocol({stop});
  refuse_as_protocol({start, start});
  refuse_as_protocol({start, make::begin(1, 8)});
  refuse_as_protocol({start, make::stream_commit(7, 1, 2)});
  refuse_as_protocol({start, make::stream_abort(7, 7)});
  refuse_as_protocol({start, stop, start});
  refuse_as_protocol({make::stream_start(7, false)});
  refuse_as_protocol({make::stream_commit(7, 1, 2)});
  refuse_as_protocol({make::stream_prepare(1, 7, "g")});
  refuse_as_protocol({start, stop, make::stream_abort(7, 7), make::stream_commit(7, 1, 2)});
}

TEST_F(AssemblerTest, RefusesRowsOfUnknownShape) {
  const std::string relation = make::relation(kCalls, "calls", kColumns);
  refuse_as_protocol({make::begin(1, 7), make::insert(kCalls, {"1", "a"})});
  refuse_as_protocol({make::begin(1, 7), relation, make::insert(kTurns, {"1", "a"})});
  refuse_as_protocol({make::begin(1, 7), relation, make::insert(kCalls, {"1"})});
  refuse_as_protocol({make::begin(1, 7), relation, make::insert(kCalls, {"1", "a", "b"})});
  refuse_as_protocol({make::begin(1, 7), relation, make::remove(kCalls, 'K', {"1"})});
  refuse_as_protocol({make::begin(1, 7), relation, make::truncate({kCalls, kTurns})});
  refuse_as_protocol({make::begin(1, 7), "?"});
}

// Spilling.

class SpillingAssemblerTest : public AssemblerTest {
 protected:
  SpillingAssemblerTest() : AssemblerTest(4096) {}

  Strings rows(std::size_t from, std::size_t to, make::MaybeXid xid = {}) {
    Strings messages;
    for (std::size_t i = from; i < to; ++i) {
      messages.push_back(make::insert(kCalls, {std::to_string(i), std::string(100, 'x')}, xid));
    }
    return messages;
  }

  void expect_rows(const Transaction& transaction, std::size_t from, std::size_t count) {
    const Strings all = contents(transaction);
    ASSERT_EQ(all.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(all[i], "#" + std::to_string(i) + " calls.1 I " + std::to_string(from + i) + "," +
                            std::string(100, 'x'));
    }
  }
};

TEST_F(SpillingAssemblerTest, LargePlainTransactionComesBackWhole) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns)});
  push(rows(0, 500));
  EXPECT_LE(assembler_.memory_bytes(), 4096U);
  push({make::commit(1, 2)});
  EXPECT_GT(assembler_.counters().spills, 5U);
  EXPECT_TRUE(committed_[0]->is_spilled());
  EXPECT_GT(committed_[0]->byte_size(), 500U * 100);
  expect_rows(*committed_[0], 0, 500);
  expect_rows(*committed_[0], 0, 500);
}

TEST_F(SpillingAssemblerTest, InterleavedStreamsComeBackWhole) {
  for (const std::uint32_t xid : {7U, 8U}) {
    push({make::stream_start(xid, true), make::relation(kCalls, "calls", kColumns, xid),
          make::stream_stop()});
  }
  for (std::size_t block = 0; block < 20; ++block) {
    const std::uint32_t xid = block % 2 == 0 ? 7 : 8;
    push({make::stream_start(xid, false)});
    push(rows(block / 2 * 30, block / 2 * 30 + 30, xid));
    push({make::stream_stop()});
  }
  push({make::stream_commit(7, 1, 2), make::stream_commit(8, 3, 4)});
  expect_rows(*committed_[0], 0, 300);
  expect_rows(*committed_[1], 0, 300);
}

TEST_F(SpillingAssemblerTest, AbortedRowsAreFilteredFromSpilledChunks) {
  push({make::stream_start(7, true), make::relation(kCalls, "calls", kColumns, 7)});
  push(rows(0, 100, 7));
  push(rows(1000, 1100, 8));
  push(rows(100, 200, 7));
  push({make::stream_stop(), make::stream_abort(7, 8), make::stream_commit(7, 1, 2)});
  EXPECT_EQ(committed_[0]->change_count(), 200U);
  expect_rows(*committed_[0], 0, 200);
}

TEST_F(SpillingAssemblerTest, PreparedTransactionsAreSpilledToo) {
  push({make::begin_prepare(1, 7, "g"), make::relation(kCalls, "calls", kColumns)});
  push(rows(0, 20));
  push({make::prepare(1, 7, "g"), make::begin(3, 8)});
  push(rows(0, 15));
  push({make::commit(3, 4), make::commit_prepared(5, 6, 7, "g")});
  EXPECT_FALSE(committed_[0]->is_spilled());
  EXPECT_TRUE(committed_[1]->is_spilled());
  expect_rows(*committed_[1], 0, 20);
}

TEST_F(SpillingAssemblerTest, SeveralThreadsReadOneTransaction) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns)});
  push(rows(0, 300));
  push({make::commit(1, 2)});
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([this] { EXPECT_EQ(contents(*committed_[0]).size(), 300U); });
  }
}

TEST_F(SpillingAssemblerTest, PiecesStayValidAfterTransactionAndReaderAreGone) {
  push({make::begin(1, 7), make::relation(kCalls, "calls", kColumns)});
  push(rows(0, 100));
  push({make::commit(1, 2)});
  std::vector<Piece> pieces;
  {
    TransactionReader reader = committed_[0]->read();
    for (Piece piece; reader.next(piece).value(); piece = Piece{}) {
      pieces.push_back(std::move(piece));
    }
  }
  committed_.clear();
  assembler_.reset();
  EXPECT_GT(pieces.size(), 2U);
  std::uint64_t ordinal = 0;
  for (Piece& piece : pieces) {
    for (const Change& change : piece.items()[0].changes) {
      EXPECT_EQ(change.id.ordinal, ordinal);
      EXPECT_EQ(change.after[0].view(), std::to_string(ordinal++));
      EXPECT_EQ(change.transaction->xid, Xid{7});
    }
  }
  EXPECT_EQ(ordinal, 100U);
}

TEST(TransactionLogTest, PiecesAreBoundedInMemoryToo) {
  MemorySpillStore spill;
  Assembler assembler{{}, spill};
  ASSERT_TRUE(assembler.push(Lsn{1}, make::begin(1, 7)).ok());
  ASSERT_TRUE(assembler.push(Lsn{1}, make::relation(kCalls, "calls", kColumns)).ok());
  const std::string row = make::insert(kCalls, {"1", std::string(1000, 'x')});
  for (int i = 0; i < 1000; ++i)
    ASSERT_TRUE(assembler.push(Lsn{1}, row).ok());
  const std::string huge = make::insert(kCalls, {"1", std::string(3 * kChunkBytes, 'x')});
  ASSERT_TRUE(assembler.push(Lsn{1}, huge).ok());
  const TransactionPtr transaction = assembler.push(Lsn{1}, make::commit(1, 2)).value();
  TransactionReader reader = transaction->read();
  Piece piece;
  std::size_t row_count = 0;
  while (reader.next(piece).value()) {
    const std::size_t rows = piece.items()[0].changes.size();
    EXPECT_TRUE(rows <= kChunkBytes / 1000);
    row_count += rows;
  }
  EXPECT_EQ(row_count, 1001U);
}

/// A spill store that fails, or gives back other bytes than it got.
class BadSpillStore final : public SpillStore {
 public:
  struct Faults {
    bool create = false;
    bool append = false;
    bool content = false;
  };

  explicit BadSpillStore(Faults faults) : faults_(faults) {}

  Result<std::unique_ptr<SpillFile>> create() override {
    if (faults_.create) return Error{ErrorKind::storage, "no"};
    return std::unique_ptr<SpillFile>{std::make_unique<File>(faults_)};
  }

 private:
  class File final : public SpillFile {
   public:
    explicit File(Faults faults) : faults_(faults) {}

    Result<std::uint64_t> append(std::string_view) override {
      if (faults_.append) return Error{ErrorKind::storage, "full"};
      return std::uint64_t{0};
    }

    Status read(std::uint64_t, std::span<char> into) const override {
      std::fill(into.begin(), into.end(), '\xee');
      return ok_status();
    }

   private:
    Faults faults_;
  };

  Faults faults_;
};

TEST(BadSpillTest, FullDiskIsReportedByPush) {
  for (const BadSpillStore::Faults faults :
       {BadSpillStore::Faults{.create = true}, BadSpillStore::Faults{.append = true}}) {
    BadSpillStore spill{faults};
    Assembler assembler{{.memory_bytes_max = 10}, spill};
    ASSERT_TRUE(assembler.push(Lsn{1}, make::begin(1, 7)).ok());
    ASSERT_TRUE(assembler.push(Lsn{1}, make::relation(kCalls, "calls", kColumns)).ok());
    const auto result = assembler.push(Lsn{1}, make::insert(kCalls, {"1", "a"}));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind(), ErrorKind::storage);
    assembler.reset();
    EXPECT_TRUE(assembler.push(Lsn{1}, make::begin(1, 7)).ok());
  }
}

TEST(BadSpillTest, DamagedSpillFileIsAStorageError) {
  BadSpillStore spill{{.content = true}};
  Assembler assembler{{.memory_bytes_max = 10}, spill};
  ASSERT_TRUE(assembler.push(Lsn{1}, make::begin(1, 7)).ok());
  ASSERT_TRUE(assembler.push(Lsn{1}, make::relation(kCalls, "calls", kColumns)).ok());
  ASSERT_TRUE(assembler.push(Lsn{1}, make::insert(kCalls, {"1", "a"})).ok());
  const TransactionPtr transaction = assembler.push(Lsn{1}, make::commit(1, 2)).value();
  Piece piece;
  const auto more = transaction->read().next(piece);
  ASSERT_FALSE(more.ok());
  EXPECT_EQ(more.error().kind(), ErrorKind::storage);
}

}  // namespace
}  // namespace freshet
