#include "core/transaction_builder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/try.h"

namespace freshet {
namespace {

/// Up to that many schemas are searched one by one: faster than hashing, and free for small
/// transactions.
constexpr std::size_t kScannedSchemasMax = 8;
constexpr std::uint8_t kCascadeFlag = 1;
constexpr std::uint8_t kRestartIdentityFlag = 2;

char type_of(Op op) {
  if (op == Op::insert) return 'I';
  return op == Op::update ? 'U' : 'D';
}

Error wrong_column_count(const TableSchema& schema, std::size_t received) {
  return Error{ErrorKind::protocol,
               "row has another number of columns than its relation message said"}
      .with("table", to_string(schema.name))
      .with("expected", static_cast<unsigned long long>(schema.columns.size()))
      .with("received", static_cast<unsigned long long>(received));
}

}  // namespace

Status TransactionBuilder::add(Lsn lsn,
                               const pgoutput::RowChange& change,
                               const RelationCache& relations) {
  FRESHET_TRY(const std::uint32_t index, schema_index(change.relation, relations));
  const TableSchema& schema = *content_.schemas[index];
  const std::size_t columns = change.op == Op::remove ? change.before.size() : change.after.size();
  if (columns != schema.columns.size()) return wrong_column_count(schema, columns);
  if (is_aborted(change.xid)) return ok_status();
  const RecordHeader header{.lsn = lsn,
                            .size = static_cast<std::uint32_t>(change.body.size()),
                            .subxid = change.xid,
                            .schema_index = index,
                            .type = type_of(change.op)};
  const auto values = static_cast<std::uint32_t>(change.before.size() + change.after.size());
  content_.log.append(header, change.body, {.rows = 1, .values = values, .records = 1});
  ++content_.row_count;
  if (Counts* counts = counts_of(change.xid)) ++counts->rows;
  return ok_status();
}

Status TransactionBuilder::add(Lsn lsn,
                               const pgoutput::Truncate& truncate,
                               const RelationCache& relations) {
  if (truncate.relations.empty() || is_aborted(truncate.xid)) return ok_status();
  std::string payload(1 + truncate.relations.size() * sizeof(std::uint32_t), '\0');
  payload[0] = static_cast<char>((truncate.is_cascade ? kCascadeFlag : 0) |
                                 (truncate.restarts_identity ? kRestartIdentityFlag : 0));
  char* out = payload.data() + 1;
  for (const Oid oid : truncate.relations) {
    FRESHET_TRY(const std::uint32_t index, schema_index(oid, relations));
    std::memcpy(out, &index, sizeof(index));
    out += sizeof(index);
  }
  const RecordHeader header{.lsn = lsn,
                            .size = static_cast<std::uint32_t>(payload.size()),
                            .subxid = truncate.xid,
                            .type = 'T'};
  const auto tables = static_cast<std::uint32_t>(truncate.relations.size());
  content_.log.append(header, payload, {.truncated_tables = tables, .records = 1});
  count_other(truncate.xid);
  return ok_status();
}

void TransactionBuilder::add(Lsn lsn, const pgoutput::LogicalMessage& message) {
  if (is_aborted(message.xid)) return;
  const RecordHeader header{.lsn = lsn,
                            .size = static_cast<std::uint32_t>(message.body.size()),
                            .subxid = message.xid,
                            .type = 'M'};
  content_.log.append(header, message.body, {.records = 1});
  count_other(message.xid);
}

void TransactionBuilder::add(Lsn lsn, CapturePtr captured, Xid subxid) {
  if (is_aborted(subxid)) return;
  const RecordHeader header{
      .lsn = lsn, .subxid = subxid, .schema_index = intern(captured->published), .type = 'R'};
  content_.log.append(header, {}, {.records = 1});
  count_other(subxid);
  captures_[captured->all->relation].push_back(std::move(captured));
}

void TransactionBuilder::forget_captures(Xid subxid) {
  for (auto entry = captures_.begin(); entry != captures_.end();) {
    std::erase_if(entry->second,
                  [&](const CapturePtr& captured) { return captured->subxid == subxid; });
    entry = entry->second.empty() ? captures_.erase(entry) : std::next(entry);
  }
}

void TransactionBuilder::abort(Xid subxid) {
  const auto found = counts_.find(subxid);
  // A sub-transaction none of whose changes was sent is rolled back by name only.
  if (found == counts_.end()) return;
  forget_captures(subxid);
  content_.row_count -= found->second.rows;
  content_.other_count -= found->second.others;
  counts_.erase(found);
  last_counts_ = nullptr;
  aborted_.insert(subxid);
}

TransactionContent TransactionBuilder::take() {
  TransactionContent content = std::move(content_);
  if (content.row_count == 0 && content.other_count == 0) content.log = TransactionLog{};
  content.aborted.assign(aborted_.begin(), aborted_.end());
  std::sort(content.aborted.begin(), content.aborted.end());
  *this = TransactionBuilder{};
  return content;
}

Result<std::uint32_t> TransactionBuilder::schema_index(Oid oid, const RelationCache& relations) {
  if (last_relation_ && last_relation_->oid == oid) return last_relation_->index;
  SchemaPtr schema = relations.find(oid, &overlay_);
  if (schema == nullptr) {
    return Error{ErrorKind::protocol, "row of a table that no relation message described"}.with(
        "oid", static_cast<unsigned long long>(to_integer(oid)));
  }
  last_relation_ = LastRelation{oid, intern(std::move(schema))};
  return last_relation_->index;
}

std::uint32_t TransactionBuilder::intern(SchemaPtr schema) {
  std::vector<SchemaPtr>& schemas = content_.schemas;
  if (schemas.size() <= kScannedSchemasMax) {
    const auto found = std::find(schemas.begin(), schemas.end(), schema);
    if (found != schemas.end()) return static_cast<std::uint32_t>(found - schemas.begin());
  } else if (const auto found = schema_indexes_.find(schema.get());
             found != schema_indexes_.end()) {
    return found->second;
  }
  schemas.push_back(std::move(schema));
  if (schemas.size() > kScannedSchemasMax) {
    for (std::size_t i = schema_indexes_.size(); i < schemas.size(); ++i) {
      schema_indexes_.emplace(schemas[i].get(), static_cast<std::uint32_t>(i));
    }
  }
  return static_cast<std::uint32_t>(schemas.size() - 1);
}

bool TransactionBuilder::is_aborted(Xid subxid) const {
  return !aborted_.empty() && aborted_.contains(subxid);
}

void TransactionBuilder::count_other(Xid subxid) {
  ++content_.other_count;
  if (Counts* counts = counts_of(subxid)) ++counts->others;
}

TransactionBuilder::Counts* TransactionBuilder::counts_of(Xid subxid) {
  // Outside stream blocks rows carry no xid: rolled-back ones are never sent there.
  if (subxid == Xid{0}) return nullptr;
  if (last_counts_ == nullptr || last_subxid_ != subxid) {
    last_counts_ = &counts_[subxid];
    last_subxid_ = subxid;
  }
  return last_counts_;
}

}  // namespace freshet
