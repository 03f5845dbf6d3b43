#include "core/pgoutput/decoder.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "core/pgoutput/testing/message_builder.h"

namespace freshet::pgoutput {
namespace {

namespace make = testing;
using make::Bytes;

class DecoderTest : public ::testing::Test {
 protected:
  template <typename T>
  T decode(const std::string& bytes, Framing framing = Framing::plain) {
    bytes_ = bytes;
    Result<Message> message = decoder_.decode(bytes_, framing);
    EXPECT_TRUE(message.ok()) << (message.ok() ? "" : message.error().describe());
    if (!message.ok() || !std::holds_alternative<T>(*message)) {
      ADD_FAILURE() << "another message than expected";
      return T{};
    }
    return std::get<T>(*message);
  }

  Error refuse(const std::string& bytes, Framing framing = Framing::plain) {
    bytes_ = bytes;
    Result<Message> message = decoder_.decode(bytes_, framing);
    if (message.ok()) {
      ADD_FAILURE() << "was accepted";
      return Error{ErrorKind::internal, ""};
    }
    EXPECT_EQ(message.error().kind(), ErrorKind::protocol);
    return message.error();
  }

  Decoder decoder_;
  std::string bytes_;
};

std::string text(const Value& value) {
  return std::string{value.view()};
}

TEST_F(DecoderTest, ReadsBegin) {
  const auto begin = decode<Begin>(make::begin(0x16'B374D848, 700));
  EXPECT_EQ(begin.commit_lsn, Lsn{0x16'B374D848});
  EXPECT_EQ(begin.committed_at, SourceTime{1000});
  EXPECT_EQ(begin.xid, Xid{700});
}

TEST_F(DecoderTest, ReadsCommit) {
  const auto commit = decode<Commit>(make::commit(5, 6));
  EXPECT_EQ(commit.commit_lsn, Lsn{5});
  EXPECT_EQ(commit.end_lsn, Lsn{6});
  EXPECT_EQ(commit.committed_at, SourceTime{1000});
}

TEST_F(DecoderTest, ReadsOriginWithoutXidEvenInStreamBlock) {
  for (const Framing framing : {Framing::plain, Framing::in_stream}) {
    const auto origin = decode<Origin>(make::origin("node_b"), framing);
    EXPECT_EQ(origin.name, "node_b");
    EXPECT_EQ(origin.commit_lsn, Lsn{7});
  }
}

TEST_F(DecoderTest, ReadsLogicalMessages) {
  const auto plain = decode<LogicalMessage>(make::logical_message("p", std::string{"a\0b", 3}));
  EXPECT_TRUE(plain.is_transactional);
  EXPECT_EQ(plain.prefix, "p");
  EXPECT_EQ(plain.content, (std::string_view{"a\0b", 3}));
  EXPECT_EQ(plain.lsn, Lsn{77});
  const auto streamed =
      decode<LogicalMessage>(make::logical_message("", "", false, 9), Framing::in_stream);
  EXPECT_FALSE(streamed.is_transactional);
  EXPECT_EQ(streamed.xid, Xid{9});
  EXPECT_EQ(streamed.prefix, "");
  EXPECT_EQ(streamed.content, "");
}

TEST_F(DecoderTest, ReadsRelation) {
  const auto relation = decode<Relation>(
      make::relation(16400, "calls", {{"id", 20, true}, {"c'", 25}}, 12), Framing::in_stream);
  EXPECT_EQ(relation.xid, Xid{12});
  EXPECT_EQ(relation.oid, Oid{16400});
  EXPECT_EQ(relation.schema, "public");
  EXPECT_EQ(relation.name, "calls");
  EXPECT_EQ(relation.identity, ReplicaIdentity::standard);
  ASSERT_EQ(relation.columns.size(), 2U);
  EXPECT_TRUE(relation.columns[0].is_identity);
  EXPECT_EQ(relation.columns[0].type, Oid{20});
  EXPECT_EQ(relation.columns[0].typmod, -1);
  EXPECT_FALSE(relation.columns[1].is_identity);
  EXPECT_EQ(relation.columns[1].name, "c'");
}

TEST_F(DecoderTest, ReadsRelationWithoutColumns) {
  EXPECT_TRUE(decode<Relation>(make::relation(1, "empty", {})).columns.empty());
}

TEST_F(DecoderTest, TakesEmptySchemaNameForPgCatalog) {
  const std::string bytes = Bytes{'R'}.u32(1).str("").str("t").u8('f').u16(0);
  EXPECT_EQ(decode<Relation>(bytes).schema, "pg_catalog");
  const std::string type = Bytes{'Y'}.u32(1).str("").str("t");
  EXPECT_EQ(decode<Type>(type).schema, "pg_catalog");
}

TEST_F(DecoderTest, ReadsType) {
  const auto type = decode<Type>(make::type(16500, "mood", 3), Framing::in_stream);
  EXPECT_EQ(type.xid, Xid{3});
  EXPECT_EQ(type.oid, Oid{16500});
  EXPECT_EQ(type.schema, "public");
  EXPECT_EQ(type.name, "mood");
}

TEST_F(DecoderTest, ReadsEveryKindOfValue) {
  Bytes bytes{'I'};
  bytes.u32(1).u8('N').u16(4).u8('n').u8('u').u8('t').u32(2).raw("hi").u8('b').u32(1).raw("\x05");
  const auto row = decode<RowChange>(bytes);
  EXPECT_EQ(row.op, Op::insert);
  EXPECT_EQ(row.old_row, OldRow::none);
  ASSERT_EQ(row.after.size(), 4U);
  EXPECT_TRUE(row.after[0].is_null());
  EXPECT_TRUE(row.after[1].is_unchanged());
  EXPECT_EQ(row.after[2].kind, ValueKind::text);
  EXPECT_EQ(text(row.after[2]), "hi");
  EXPECT_EQ(row.after[3].kind, ValueKind::binary);
  EXPECT_EQ(text(row.after[3]), "\x05");
}

TEST_F(DecoderTest, TellsEmptyTextFromNull) {
  const auto row = decode<RowChange>(make::insert(1, {"", std::nullopt}));
  EXPECT_FALSE(row.after[0].is_null());
  EXPECT_EQ(row.after[0].size, 0U);
  EXPECT_TRUE(row.after[1].is_null());
}

TEST_F(DecoderTest, ReadsUpdateWithAndWithoutOldRow) {
  const auto plain = decode<RowChange>(make::update(1, 0, {}, {"1", "b"}));
  EXPECT_EQ(plain.op, Op::update);
  EXPECT_EQ(plain.old_row, OldRow::none);
  EXPECT_TRUE(plain.before.empty());
  EXPECT_EQ(text(plain.after[1]), "b");
  const auto key = decode<RowChange>(make::update(1, 'K', {"0", std::nullopt}, {"1", "b"}));
  EXPECT_EQ(key.old_row, OldRow::key);
  EXPECT_EQ(text(key.before[0]), "0");
  EXPECT_TRUE(key.before[1].is_null());
  EXPECT_EQ(text(key.after[0]), "1");
  const auto full =
      decode<RowChange>(make::update(1, 'O', {"0", "a"}, {"1", "b"}, 4), Framing::in_stream);
  EXPECT_EQ(full.old_row, OldRow::full);
  EXPECT_EQ(full.xid, Xid{4});
  EXPECT_EQ(text(full.before[1]), "a");
}

TEST_F(DecoderTest, ReadsDelete) {
  const auto key = decode<RowChange>(make::remove(1, 'K', {"0"}));
  EXPECT_EQ(key.op, Op::remove);
  EXPECT_EQ(key.old_row, OldRow::key);
  EXPECT_TRUE(key.after.empty());
  EXPECT_EQ(decode<RowChange>(make::remove(1, 'O', {"0"})).old_row, OldRow::full);
}

TEST_F(DecoderTest, ReadsRowOfTheWidestTableTwice) {
  const make::Cells cells(kColumnsMax, make::Cell{"v"});
  const auto row = decode<RowChange>(make::update(1, 'O', cells, cells));
  EXPECT_EQ(row.before.size(), kColumnsMax);
  EXPECT_EQ(row.after.size(), kColumnsMax);
}

TEST_F(DecoderTest, ReadsTruncate) {
  const auto truncate = decode<Truncate>(make::truncate({5, 6}, 3, 8), Framing::in_stream);
  EXPECT_EQ(truncate.xid, Xid{8});
  EXPECT_TRUE(truncate.is_cascade);
  EXPECT_TRUE(truncate.restarts_identity);
  ASSERT_EQ(truncate.relations.size(), 2U);
  EXPECT_EQ(truncate.relations[1], Oid{6});
}

TEST_F(DecoderTest, ReadsStreamMessages) {
  EXPECT_TRUE(decode<StreamStart>(make::stream_start(9, true)).is_first);
  EXPECT_FALSE(decode<StreamStart>(make::stream_start(9, false)).is_first);
  decode<StreamStop>(make::stream_stop(), Framing::in_stream);
  const auto commit = decode<StreamCommit>(make::stream_commit(9, 5, 6));
  EXPECT_EQ(commit.xid, Xid{9});
  EXPECT_EQ(commit.commit_lsn, Lsn{5});
  EXPECT_EQ(commit.end_lsn, Lsn{6});
}

TEST_F(DecoderTest, ReadsStreamAbortWithAndWithoutPosition) {
  const auto plain = decode<StreamAbort>(make::stream_abort(9, 10));
  EXPECT_EQ(plain.subxid, Xid{10});
  EXPECT_EQ(plain.abort_lsn, kNoLsn);
  const auto parallel = decode<StreamAbort>(make::stream_abort_parallel(9, 10));
  EXPECT_EQ(parallel.abort_lsn, Lsn{99});
  EXPECT_EQ(parallel.aborted_at, SourceTime{1000});
}

TEST_F(DecoderTest, ReadsTwoPhaseMessages) {
  const std::string gid(199, 'g');
  EXPECT_EQ(decode<BeginPrepare>(make::begin_prepare(100, 9, gid)).gid, gid);
  EXPECT_EQ(decode<Prepare>(make::prepare(100, 9, gid)).prepare_lsn, Lsn{100});
  EXPECT_EQ(decode<StreamPrepare>(make::stream_prepare(100, 9, "")).end_lsn, Lsn{108});
  const auto commit = decode<CommitPrepared>(make::commit_prepared(200, 208, 9, "a'b"));
  EXPECT_EQ(commit.commit_lsn, Lsn{200});
  EXPECT_EQ(commit.end_lsn, Lsn{208});
  EXPECT_EQ(commit.gid, "a'b");
  const auto rollback = decode<RollbackPrepared>(make::rollback_prepared(300, 9, "x"));
  EXPECT_EQ(rollback.rollback_end_lsn, Lsn{308});
  EXPECT_EQ(rollback.rolled_back_at, SourceTime{2});
}

struct Sample {
  std::string bytes;
  Framing framing;
};

std::vector<Sample> samples() {
  std::vector<Sample> all;
  const auto add = [&all](std::string bytes, Framing framing) {
    all.push_back({std::move(bytes), framing});
  };
  for (const make::MaybeXid xid : {make::MaybeXid{}, make::MaybeXid{70}}) {
    const Framing framing = xid ? Framing::in_stream : Framing::plain;
    add(make::logical_message("prefix", "content", true, xid), framing);
    add(make::relation(1, "t", {{"id", 20, true}, {"v", 25}}, xid), framing);
    add(make::type(16500, "mood", xid), framing);
    add(make::insert(1, {"1", std::nullopt, make::kUnchanged}, xid), framing);
    add(make::update(1, 0, {}, {"1", "x"}, xid), framing);
    add(make::update(1, 'K', {"1", std::nullopt}, {"2", "x"}, xid), framing);
    add(make::update(1, 'O', {"1", "w"}, {"2", "x"}, xid), framing);
    add(make::remove(1, 'K', {"1", std::nullopt}, xid), framing);
    add(make::truncate({1, 2, 3}, 2, xid), framing);
  }
  for (const std::string& bytes :
       {make::begin(1, 2), make::commit(1, 2), make::origin("o"), make::stream_start(1, true),
        make::stream_stop(), make::stream_commit(1, 2, 3), make::stream_abort(1, 2),
        make::stream_abort_parallel(1, 2), make::begin_prepare(1, 2, "gid"),
        make::prepare(1, 2, "gid"), make::stream_prepare(1, 2, "gid"),
        make::commit_prepared(1, 2, 3, "gid"), make::rollback_prepared(1, 2, "gid")}) {
    add(bytes, Framing::plain);
  }
  return all;
}

TEST_F(DecoderTest, RefusesEveryTruncationOfEveryMessage) {
  for (const Sample& sample : samples()) {
    EXPECT_TRUE(decoder_.decode(sample.bytes, sample.framing).ok()) << sample.bytes.front();
    for (std::size_t size = 0; size < sample.bytes.size(); ++size) {
      // An abort cut to its first half is the shorter form.
      if (sample.bytes.front() == 'A' && size == 9) continue;
      // A copy of exactly that size: the address sanitizer sees a read past it.
      const std::unique_ptr<char[]> copy{new char[size]};
      sample.bytes.copy(copy.get(), size);
      const Result<Message> message = decoder_.decode({copy.get(), size}, sample.framing);
      ASSERT_FALSE(message.ok()) << sample.bytes.front() << " cut to " << size;
      EXPECT_EQ(message.error().kind(), ErrorKind::protocol);
    }
  }
}

TEST_F(DecoderTest, RefusesTrailingBytesOnEveryMessage) {
  for (const Sample& sample : samples()) {
    const Error error = refuse(sample.bytes + "x", sample.framing);
    EXPECT_EQ(error.find("message"), sample.bytes.substr(0, 1));
  }
}

TEST_F(DecoderTest, SurvivesEveryChangeOfOneByte) {
  for (const Sample& sample : samples()) {
    for (std::size_t i = 0; i < sample.bytes.size(); ++i) {
      for (const char byte : {'\0', '\x01', '\x7f', '\x80', '\xff', 'K', 'N', 't'}) {
        std::string changed = sample.bytes;
        changed[i] = byte;
        const Result<Message> message = decoder_.decode(changed, sample.framing);
        if (!message.ok()) {
          EXPECT_EQ(message.error().kind(), ErrorKind::protocol);
        }
      }
    }
  }
}

TEST_F(DecoderTest, RefusesEmptyAndUnknownMessages) {
  refuse("");
  refuse("Z");
  refuse(std::string(1, '\0'));
}

TEST_F(DecoderTest, RefusesNegativeAndOversizedCounts) {
  refuse(Bytes{'I'}.u32(1).u8('N').u16(0xffff));
  refuse(Bytes{'I'}.u32(1).u8('N').u16(kColumnsMax + 1).raw(std::string(kColumnsMax + 1, 'n')));
  refuse(Bytes{'R'}.u32(1).str("s").str("t").u8('d').u16(0x8000));
  refuse(Bytes{'T'}.u32(0xffffffff).u8(0));
  refuse(Bytes{'T'}.u32(0x40000001).u8(0).u32(1));
}

TEST_F(DecoderTest, RefusesNegativeAndOverlongSizes) {
  refuse(Bytes{'I'}.u32(1).u8('N').u16(1).u8('t').u32(0xffffffff));
  refuse(Bytes{'I'}.u32(1).u8('N').u16(1).u8('b').u32(0x7fffffff).raw("abc"));
  refuse(Bytes{'M'}.u8(1).u64(1).str("p").u32(0x80000000));
}

TEST_F(DecoderTest, RefusesUnknownTagsAndFlags) {
  refuse(Bytes{'I'}.u32(1).u8('K').u16(0));
  refuse(Bytes{'I'}.u32(1).u8('N').u16(1).u8('x'));
  refuse(Bytes{'D'}.u32(1).u8('N').u16(0));
  refuse(Bytes{'U'}.u32(1).u8('K').u16(0).u8('K').u16(0));
  refuse(Bytes{'C'}.u8(1).u64(1).u64(2).u64(3));
  refuse(Bytes{'R'}.u32(1).str("s").str("t").u8('x').u16(0));
  refuse(Bytes{'S'}.u32(1).u8(2));
  refuse(make::truncate({1}, 4));
}

TEST_F(DecoderTest, RefusesOldRowOfAnotherWidthThanNewRow) {
  refuse(make::update(1, 'O', {"1"}, {"1", "2"}));
}

TEST_F(DecoderTest, RefusesNulInTextButNotInBinary) {
  refuse(make::insert(1, {std::string{"a\0b", 3}}));
  refuse(make::update(1, 'O', {std::string(1, '\0')}, {"a"}));
  decode<RowChange>(Bytes{'I'}.u32(1).u8('N').u16(1).u8('b').u32(1).u8(0));
}

TEST_F(DecoderTest, ErrorNamesMessageAndOffsetButNoRowData) {
  std::string bytes = make::insert(1, {"secret"});
  bytes.pop_back();
  const Error error = refuse(bytes);
  EXPECT_EQ(error.find("message"), "I");
  EXPECT_EQ(error.find("offset"), "13");
  EXPECT_EQ(error.describe().find("secre"), std::string::npos);
}

TEST_F(DecoderTest, RowReaderRefusesMoreValuesThanItHasRoomFor) {
  const std::string bytes = make::insert(1, {"a", "b"});
  std::vector<Value> storage(2);
  EXPECT_TRUE(read_row('I', std::string_view{bytes}.substr(5), storage).ok());
  storage.pop_back();
  EXPECT_FALSE(read_row('I', std::string_view{bytes}.substr(5), storage).ok());
}

}  // namespace
}  // namespace freshet::pgoutput
