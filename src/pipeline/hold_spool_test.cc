#include "pipeline/hold_spool.h"

#include <gtest/gtest.h>

namespace freshet {
namespace {

SchemaPtr schema_of(const char* table) {
  TableSchema schema;
  schema.name = {"public", table};
  schema.columns.resize(2);
  return std::make_shared<const TableSchema>(schema);
}

struct Fixture {
  explicit Fixture(std::size_t memory_bytes_max) : store(spill, memory_bytes_max), spool(store) {}

  void add(const SchemaPtr& schema, std::uint64_t ordinal, std::string_view text) {
    const Value row[2] = {Value::text(text), Value::unchanged()};
    Change change;
    change.op = Op::update;
    change.after = row;
    change.id = {Lsn{100}, ordinal};
    change.lsn = Lsn{90 + ordinal};
    change.transaction = &info;
    const Change changes[] = {change};
    EXPECT_TRUE(spool.append(schema, changes).ok());
  }

  MemorySpillStore spill;
  HoldStore store;
  HoldSpool spool;
  TransactionInfo info{
      .xid = Xid{7}, .commit_lsn = Lsn{100}, .end_lsn = Lsn{120}, .committed_at = SourceTime{5}};
};

TEST(HoldSpool, GivesBackWhatItTookInOrder) {
  Fixture fixture(1 << 20);
  const SchemaPtr first = schema_of("t");
  const SchemaPtr second = schema_of("t");
  fixture.add(first, 0, "a");
  fixture.add(first, 1, "");
  fixture.add(second, 2, "c");
  const TransactionInfo emptied{.xid = Xid{5}, .commit_lsn = Lsn{130}, .end_lsn = Lsn{140}};
  const TransactionInfo changed{.xid = Xid{9}, .commit_lsn = Lsn{150}, .end_lsn = Lsn{160}};
  ASSERT_TRUE(fixture.spool.append_truncate(second, true, emptied).ok());
  ASSERT_TRUE(fixture.spool.append_definition(first, changed).ok());
  HeldPiece piece;
  auto more = fixture.spool.next(piece);
  ASSERT_TRUE(more.ok() && *more);
  ASSERT_EQ(piece.items.size(), 4U);
  EXPECT_EQ(piece.items[0].schema, first);
  ASSERT_EQ(piece.items[0].changes.size(), 2U);
  const Change& change = piece.items[0].changes[0];
  EXPECT_EQ(change.op, Op::update);
  EXPECT_EQ(change.after[0].view(), "a");
  EXPECT_TRUE(change.after[1].is_unchanged());
  EXPECT_EQ(change.lsn, Lsn{90});
  EXPECT_EQ(change.transaction->end_lsn, Lsn{120});
  EXPECT_EQ(piece.items[0].transaction, change.transaction);
  EXPECT_EQ(piece.items[1].schema, second);
  EXPECT_TRUE(piece.items[2].is_truncate);
  EXPECT_TRUE(piece.items[2].restarts_identity);
  EXPECT_EQ(piece.items[2].transaction->xid, Xid{5});
  EXPECT_TRUE(piece.items[3].is_definition);
  EXPECT_EQ(piece.items[3].schema, first);
  EXPECT_EQ(piece.items[3].transaction->end_lsn, Lsn{160});
  more = fixture.spool.next(piece);
  EXPECT_TRUE(more.ok() && !*more);
  EXPECT_TRUE(fixture.spool.is_empty());
}

TEST(HoldSpool, CutsBetweenTransactionsUnlessOneIsTooLarge) {
  Fixture fixture(1 << 20);
  const SchemaPtr schema = schema_of("t");
  const std::string text(300'000, 'x');

  struct Held {
    std::uint64_t commit;
    int changes;
  };

  // 0.3 MB, 3 MB, 0.3 MB, 10.5 MB, 0.3 MB
  const std::vector<Held> transactions{{1, 1}, {2, 10}, {3, 1}, {4, 35}, {5, 1}};
  for (const Held& held : transactions) {
    fixture.info.commit_lsn = Lsn{held.commit};
    for (int i = 0; i < held.changes; ++i)
      fixture.add(schema, 0, text);
  }
  std::vector<std::pair<std::size_t, bool>> pieces;
  HeldPiece piece;
  while (true) {
    auto more = fixture.spool.next(piece);
    ASSERT_TRUE(more.ok());
    if (!*more) break;
    std::size_t count = 0;
    for (const HeldItem& item : piece.items)
      count += item.changes.size();
    pieces.emplace_back(count, piece.is_whole);
  }
  const std::vector<std::pair<std::size_t, bool>> expected{
      {11, true}, {28, false}, {8, true}, {1, true}};
  EXPECT_EQ(pieces, expected);
}

TEST(HoldSpool, SurvivesMoreThanItsMemory) {
  Fixture fixture(0);
  const SchemaPtr schema = schema_of("t");
  const std::string text(300'000, 'x');
  for (std::uint64_t i = 0; i < 20; ++i)
    fixture.add(schema, i, text);
  HeldPiece piece;
  std::uint64_t next = 0;
  while (true) {
    auto more = fixture.spool.next(piece);
    ASSERT_TRUE(more.ok());
    if (!*more) break;
    for (const HeldItem& item : piece.items) {
      for (const Change& change : item.changes) {
        EXPECT_EQ(change.id.ordinal, next++);
        EXPECT_EQ(change.after[0].view(), text);
      }
    }
  }
  EXPECT_EQ(next, 20U);
}

// How much lies in files, and in how many.
struct Disk {
  int files = 0;
  std::size_t bytes = 0;
};

class CountedFile final : public SpillFile {
 public:
  CountedFile(std::unique_ptr<SpillFile> file, Disk& disk) : file_(std::move(file)), disk_(disk) {
    ++disk_.files;
  }

  ~CountedFile() override { --disk_.files; }

  Result<std::uint64_t> append(std::string_view bytes) override {
    disk_.bytes += bytes.size();
    return file_->append(bytes);
  }

  Status read(std::uint64_t offset, std::span<char> into) const override {
    return file_->read(offset, into);
  }

 private:
  std::unique_ptr<SpillFile> file_;
  Disk& disk_;
};

class CountedStore final : public SpillStore {
 public:
  explicit CountedStore(Disk& disk) : disk_(disk) {}

  Result<std::unique_ptr<SpillFile>> create() override {
    auto file = MemorySpillStore{}.create();
    return std::unique_ptr<SpillFile>(new CountedFile(std::move(file).value(), disk_));
  }

 private:
  Disk& disk_;
};

TEST(HoldSpool, ManyShareOneMemoryAndOneFile) {
  constexpr std::size_t kTables = 100;
  constexpr std::size_t kTransactions = 200;
  constexpr std::size_t kMemoryMax = 2 << 20;
  const std::string text(10'000, 'x');
  const SchemaPtr schema = schema_of("t");
  Disk disk;
  CountedStore spill(disk);
  HoldStore store(spill, kMemoryMax);
  std::vector<std::unique_ptr<HoldSpool>> spools;
  for (std::size_t i = 0; i < kTables; ++i)
    spools.push_back(std::make_unique<HoldSpool>(store));
  const Value row[] = {Value::text(text)};
  for (std::size_t i = 0; i < kTransactions; ++i) {
    TransactionInfo info{.xid = Xid{7}, .commit_lsn = Lsn{i + 1}, .end_lsn = Lsn{i + 2}};
    Change change;
    change.after = row;
    change.transaction = &info;
    for (const auto& spool : spools)
      ASSERT_TRUE(spool->append(schema, std::span{&change, 1}).ok());
  }
  EXPECT_EQ(disk.files, 1);
  const std::size_t all = kTables * kTransactions * text.size();
  // As much again as the tables' open blocks of at least 64 KiB hold, and what goes past them.
  EXPECT_GT(disk.bytes, all - kMemoryMax - kTables * (std::size_t{80} << 10));
  spools.resize(kTables / 2);
  EXPECT_EQ(disk.files, 1);
  for (const auto& spool : spools) {
    std::size_t count = 0;
    HeldPiece piece;
    while (true) {
      const auto more = spool->next(piece);
      ASSERT_TRUE(more.ok());
      if (!*more) break;
      for (const HeldItem& item : piece.items)
        count += item.changes.size();
    }
    EXPECT_EQ(count, kTransactions);
  }
  EXPECT_EQ(disk.files, 0);
}

}  // namespace
}  // namespace freshet
