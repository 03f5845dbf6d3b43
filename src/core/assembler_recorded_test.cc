// Runs what real servers sent (tests/fuzz_corpus/record.py) through the assembler.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "core/assembler.h"

namespace freshet {
namespace {

/// Column `id` (the first) of all changes, in order.
struct Summary {
  std::string ops;
  std::string ids;
  std::size_t transactions = 0;
  std::size_t empty = 0;
  std::size_t truncates = 0;
  std::size_t messages = 0;
  friend bool operator==(const Summary&, const Summary&) = default;
};

void add_item(const Item& item, Summary& to) {
  if (item.kind == Item::Kind::truncate) ++to.truncates;
  if (item.kind == Item::Kind::message) ++to.messages;
  for (const Change& change : item.changes) {
    to.ops.push_back(change.op == Op::insert ? 'I' : change.op == Op::update ? 'U' : 'D');
    const RowView row = change.op == Op::remove ? change.before : change.after;
    const bool is_shown = !row.empty() && row[0].kind == ValueKind::text;
    to.ids += (is_shown ? std::string{row[0].view()} : "?") + " ";
  }
}

void add_transaction(const Transaction& transaction, Summary& to) {
  ++to.transactions;
  if (transaction.is_empty()) ++to.empty;
  TransactionReader reader = transaction.read();
  Piece piece;
  while (reader.next(piece).value()) {
    for (const Item& item : std::as_const(piece).items())
      add_item(item, to);
  }
}

std::string read_file(const std::string& name) {
  std::ifstream file{"tests/fuzz_corpus/decoder_fuzz/" + name, std::ios::binary};
  EXPECT_TRUE(file.good()) << name << " (run this from the root of the repository)";
  return {std::istreambuf_iterator<char>{file}, {}};
}

Summary replay(const std::string& name, std::size_t memory_bytes_max) {
  const std::string file = read_file(name);
  std::string_view bytes{file};
  Summary summary;
  MemorySpillStore spill;
  Assembler assembler{{.memory_bytes_max = memory_bytes_max}, spill};
  bytes.remove_prefix(std::min<std::size_t>(1, bytes.size()));
  while (bytes.size() > 2) {
    const std::size_t size = std::size_t{static_cast<unsigned char>(bytes[0])} << 8 |
                             static_cast<unsigned char>(bytes[1]);
    const Result<TransactionPtr> result = assembler.push(Lsn{1}, bytes.substr(2, size));
    EXPECT_TRUE(result.ok()) << name << ": " << result.error().describe();
    if (!result.ok()) break;
    if (*result != nullptr) add_transaction(**result, summary);
    bytes.remove_prefix(2 + size);
  }
  EXPECT_EQ(assembler.open_transactions(), 0U);
  return summary;
}

class RecordedTest : public ::testing::TestWithParam<int> {
 protected:
  std::string file(std::string_view name) const {
    return "pg" + std::to_string(GetParam()) + "-" + std::string{name};
  }

  /// Replays with and without spilling; both must give the same.
  Summary replay(std::string_view name) const {
    const Summary summary = freshet::replay(file(name), std::size_t{1} << 20);
    EXPECT_EQ(freshet::replay(file(name), 10), summary);
    return summary;
  }
};

TEST_P(RecordedTest, RowsArriveInOrder) {
  const Summary rows = replay("rows-v1");
  EXPECT_EQ(rows.ops, "IIIUUDIIIUDDDIIUU");
  EXPECT_EQ(rows.ids, "1 2 3 1 10 3 1 1 ? ? 1 1 ? ? 1 1 5 ");
  EXPECT_EQ(rows.truncates, 1U);
  EXPECT_EQ(replay("rows-binary").ops, rows.ops);
}

TEST_P(RecordedTest, RowsFitTheirRelationsAcrossDdl) {
  EXPECT_EQ(replay("ddl-v1").ids, "1 2 1 2 1 2 3 4 ");
}

TEST_P(RecordedTest, MessagesAndOriginsArePassed) {
  EXPECT_EQ(replay("messages-v1").messages, 2U);
  EXPECT_EQ(replay("origin-v1").ids, "1 ");
}

TEST_P(RecordedTest, StreamingGivesWhatPlainTransactionsGive) {
  const Summary plain = replay("streamed-v1");
  EXPECT_EQ(plain.ids, "1 2 4 1 2 4 5 7 ");
  const Summary streamed = replay("streamed-stream");
  EXPECT_EQ(streamed.ops, plain.ops);
  EXPECT_EQ(streamed.ids, plain.ids);
  EXPECT_EQ(streamed.truncates, plain.truncates);
  EXPECT_EQ(streamed.messages, plain.messages);
  if (GetParam() >= 16) {
    EXPECT_EQ(replay("streamed-parallel"), streamed);
  }
}

TEST_P(RecordedTest, TwoPhaseGivesCommittedRowsAtTheirCommit) {
  EXPECT_EQ(replay("prepared-v1").ids, "2 1 4 6 ");
  if (GetParam() < 15) return;
  EXPECT_EQ(replay("prepared-twophase").ids, "2 1 4 6 ");
  EXPECT_EQ(replay("prepared-twophase-stream").ids, "2 1 4 6 ");
}

INSTANTIATE_TEST_SUITE_P(Versions, RecordedTest, ::testing::Values(14, 15, 16, 17, 18));

}  // namespace
}  // namespace freshet
