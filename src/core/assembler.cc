#include "core/assembler.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/try.h"

namespace freshet {
namespace {

const TransactionPtr kNothing = nullptr;

}  // namespace

Assembler::Assembler(const Options& options, SpillStore& spill)
    : options_(options), spill_(spill) {}

Assembler::~Assembler() = default;

Result<TransactionPtr> Assembler::push(Lsn message_lsn, std::string_view message) {
  const auto framing =
      block_ == Block::stream ? pgoutput::Framing::in_stream : pgoutput::Framing::plain;
  message_lsn_ = message_lsn;
  Result<pgoutput::Message> decoded = decoder_.decode(message, framing);
  if (!decoded) return std::move(decoded).error().with("lsn", to_string(message_lsn));
  return std::visit([this](const auto& typed) { return on(typed); }, *decoded);
}

// Plain transactions.

Result<TransactionPtr> Assembler::on(const pgoutput::Begin& message) {
  if (block_ != Block::none) return misplaced("begin");
  block_ = Block::transaction;
  begun_ = {.xid = message.xid,
            .commit_lsn = message.commit_lsn,
            .end_lsn = kNoLsn,
            .committed_at = message.committed_at};
  current_ = &plain_;
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::Commit& message) {
  if (block_ != Block::transaction) return misplaced("commit");
  if (message.commit_lsn != begun_.commit_lsn) {
    return Error{ErrorKind::protocol, "commit is of another transaction than begin"}
        .with("begin", to_string(begun_.commit_lsn))
        .with("commit", to_string(message.commit_lsn));
  }
  leave_block();
  return finish(plain_, {.xid = begun_.xid,
                         .commit_lsn = message.commit_lsn,
                         .end_lsn = message.end_lsn,
                         .committed_at = message.committed_at});
}

// What may stand in any block.

Result<TransactionPtr> Assembler::on(const pgoutput::Origin& message) {
  if (current_ == nullptr) return misplaced("origin");
  current_->set_origin(message.name);
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::LogicalMessage& message) {
  if (current_ == nullptr) {
    if (message.is_transactional) return misplaced("transactional message");
    // It belongs to no transaction and is sent at once, even if its session rolls back. Nothing
    // here could say when it is durable, so it is not delivered; the position passes it with the
    // next commit.
    ++counters_.standalone_messages;
    return kNothing;
  }
  const std::size_t before = current_->memory_bytes();
  CapturePtr captured = message.prefix == kDdlPrefix ? parse_capture(message.content) : nullptr;
  if (captured != nullptr) {
    // The server says of a message which transaction it is of, but not which sub-transaction.
    const Xid subxid = block_ == Block::stream ? captured->subxid : Xid{0};
    current_->add(message_lsn_, std::move(captured), subxid);
  } else {
    current_->add(message_lsn_, message);
  }
  return account(before);
}

Result<TransactionPtr> Assembler::on(const pgoutput::Relation& message) {
  if (current_ == nullptr) return misplaced("relation");
  // The server keeps track of what it sent per streamed transaction, not per sub-transaction: the
  // relation holds on after the sub-transaction that made it was rolled back.
  relations_.announce(message, block_ == Block::stream ? &current_->overlay() : nullptr,
                      current_->captures());
  current_->forget_last_relation();
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::Type& message) {
  if (current_ == nullptr) return misplaced("type");
  relations_.announce(message);
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::RowChange& message) {
  if (current_ == nullptr) return misplaced("row");
  const std::size_t before = current_->memory_bytes();
  FRESHET_TRY(current_->add(message_lsn_, message, relations_));
  return account(before);
}

Result<TransactionPtr> Assembler::on(const pgoutput::Truncate& message) {
  if (current_ == nullptr) return misplaced("truncate");
  const std::size_t before = current_->memory_bytes();
  FRESHET_TRY(current_->add(message_lsn_, message, relations_));
  return account(before);
}

// Streamed transactions.

Result<TransactionPtr> Assembler::on(const pgoutput::StreamStart& message) {
  if (block_ != Block::none) return misplaced("stream start");
  auto found = streamed_.find(message.xid);
  if (message.is_first == (found != streamed_.end())) {
    return Error{ErrorKind::protocol, message.is_first
                                          ? "a streamed transaction starts twice"
                                          : "a streamed transaction goes on that never started"}
        .with("xid", static_cast<unsigned long long>(to_integer(message.xid)))
        .with("lsn", to_string(message_lsn_));
  }
  if (message.is_first) {
    FRESHET_TRY(check_open_transactions());
    found = streamed_.try_emplace(message.xid).first;
  }
  block_ = Block::stream;
  current_ = &found->second;
  // Another transaction may have announced relations since the last block.
  current_->forget_last_relation();
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::StreamStop&) {
  if (block_ != Block::stream) return misplaced("stream stop");
  leave_block();
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::StreamCommit& message) {
  const auto found = streamed_.find(message.xid);
  if (block_ != Block::none || found == streamed_.end()) return misplaced("stream commit");
  TransactionBuilder builder = std::move(found->second);
  streamed_.erase(found);
  return finish(builder, {.xid = message.xid,
                          .commit_lsn = message.commit_lsn,
                          .end_lsn = message.end_lsn,
                          .committed_at = message.committed_at});
}

Result<TransactionPtr> Assembler::on(const pgoutput::StreamAbort& message) {
  if (block_ != Block::none) return misplaced("stream abort");
  const auto found = streamed_.find(message.xid);
  // The server may roll back what it never sent.
  if (found == streamed_.end()) return kNothing;
  if (message.subxid != message.xid) {
    found->second.abort(message.subxid);
    return kNothing;
  }
  drop(found->second);
  streamed_.erase(found);
  return kNothing;
}

// Two-phase transactions.

Result<TransactionPtr> Assembler::on(const pgoutput::BeginPrepare& message) {
  if (block_ != Block::none) return misplaced("begin prepare");
  block_ = Block::prepare;
  begun_ = {.xid = message.xid, .commit_lsn = message.prepare_lsn};
  begun_gid_ = message.gid;
  current_ = &plain_;
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::Prepare& message) {
  if (block_ != Block::prepare) return misplaced("prepare");
  if (message.xid != begun_.xid || message.gid != begun_gid_) {
    return Error{ErrorKind::protocol, "prepare is of another transaction than begin prepare"}.with(
        "lsn", to_string(message_lsn_));
  }
  leave_block();
  TransactionBuilder builder = std::move(plain_);
  plain_ = TransactionBuilder{};
  FRESHET_TRY(hold(std::move(builder), message));
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::StreamPrepare& message) {
  const auto found = streamed_.find(message.xid);
  if (block_ != Block::none || found == streamed_.end()) return misplaced("stream prepare");
  TransactionBuilder builder = std::move(found->second);
  streamed_.erase(found);
  // PostgreSQL 15 takes what a prepared transaction announced as known to everybody from here on.
  relations_.promote(builder.overlay());
  FRESHET_TRY(hold(std::move(builder), message));
  return kNothing;
}

Result<TransactionPtr> Assembler::on(const pgoutput::CommitPrepared& message) {
  if (block_ != Block::none) return misplaced("commit prepared");
  const auto found = prepared_.find(message.gid);
  if (found == prepared_.end()) {
    if (message.end_lsn <= skip_upto_.end) return kNothing;
    const bool may_lack_rows =
        message.commit_lsn <= undecided_.upto || undecided_.gids.contains(message.gid);
    if (!may_lack_rows) return kNothing;
    return Error{ErrorKind::gap, "a prepared transaction was committed whose rows were never sent"}
        .with("xid", static_cast<unsigned long long>(to_integer(message.xid)))
        .with("lsn", to_string(message.commit_lsn))
        .fix("copy the tables of the pipeline again: its slot was advanced past the PREPARE");
  }
  if (found->second.xid != message.xid) return misplaced("commit prepared");
  forget_undecided(message.gid);
  TransactionBuilder builder = std::move(found->second.builder);
  decided_.push_back({found->second.prepare_lsn, message.end_lsn});
  prepared_.erase(found);
  return finish(builder, {.xid = message.xid,
                          .commit_lsn = message.commit_lsn,
                          .end_lsn = message.end_lsn,
                          .committed_at = message.committed_at});
}

Result<TransactionPtr> Assembler::on(const pgoutput::RollbackPrepared& message) {
  if (block_ != Block::none) return misplaced("rollback prepared");
  forget_undecided(message.gid);
  const auto found = prepared_.find(message.gid);
  if (found == prepared_.end()) return kNothing;
  drop(found->second.builder);
  prepared_.erase(found);
  return kNothing;
}

// The name may be used again.
void Assembler::forget_undecided(std::string_view gid) {
  const auto found = undecided_.gids.find(gid);
  if (found != undecided_.gids.end()) undecided_.gids.erase(found);
}

std::optional<Lsn> Assembler::hold_below(Position durable) {
  std::erase_if(decided_, [&](const Decided& decided) { return decided.end_lsn <= durable.end; });
  std::optional<Lsn> least;
  const auto consider = [&least](Lsn lsn) { least = std::min(lsn, least.value_or(lsn)); };
  if (block_ == Block::prepare) consider(begun_.commit_lsn);
  for (const auto& [gid, held] : prepared_)
    consider(held.prepare_lsn);
  for (const Decided& decided : decided_)
    consider(decided.prepare_lsn);
  return least;
}

void Assembler::reset() {
  leave_block();
  plain_ = TransactionBuilder{};
  streamed_.clear();
  prepared_.clear();
  relations_.clear();
  memory_bytes_ = 0;
}

std::size_t Assembler::open_transactions() const {
  const bool has_plain = block_ == Block::transaction || block_ == Block::prepare;
  return streamed_.size() + prepared_.size() + (has_plain ? 1 : 0);
}

Error Assembler::misplaced(std::string_view what) const {
  return Error{ErrorKind::protocol, "pgoutput message came at a moment when it makes no sense"}
      .with("message", what)
      .with("lsn", to_string(message_lsn_));
}

Status Assembler::check_open_transactions() const {
  if (open_transactions() < kOpenTransactionsMax) return ok_status();
  return Error{ErrorKind::protocol, "more transactions are open than a server can have"};
}

void Assembler::leave_block() {
  block_ = Block::none;
  current_ = nullptr;
}

TransactionPtr Assembler::finish(TransactionBuilder& builder, const TransactionInfo& info) {
  memory_bytes_ -= builder.memory_bytes();
  relations_.promote(builder.overlay());
  relations_.promote(builder.captures());
  return std::make_shared<const Transaction>(info, builder.take());
}

Status Assembler::hold(TransactionBuilder&& builder, const pgoutput::Prepared& message) {
  FRESHET_TRY(check_open_transactions());
  const auto [place, is_new] = prepared_.try_emplace(std::string{message.gid});
  if (!is_new) {
    return Error{ErrorKind::protocol, "a transaction was prepared under a name still in use"}.with(
        "lsn", to_string(message_lsn_));
  }
  place->second = {std::move(builder), message.prepare_lsn, message.xid};
  return ok_status();
}

void Assembler::drop(TransactionBuilder& builder) {
  memory_bytes_ -= builder.memory_bytes();
  ++counters_.rolled_back;
}

Result<TransactionPtr> Assembler::account(std::size_t bytes_before) {
  memory_bytes_ += current_->memory_bytes() - bytes_before;
  while (memory_bytes_ > options_.memory_bytes_max) {
    FRESHET_TRY(spill_largest());
  }
  return kNothing;
}

Status Assembler::spill_largest() {
  TransactionBuilder* largest = &plain_;
  const auto consider = [&largest](TransactionBuilder& builder) {
    if (builder.memory_bytes() > largest->memory_bytes()) largest = &builder;
  };
  for (auto& [xid, builder] : streamed_)
    consider(builder);
  for (auto& [gid, held] : prepared_)
    consider(held.builder);
  FRESHET_CHECK(largest->memory_bytes() > 0);
  memory_bytes_ -= largest->memory_bytes();
  FRESHET_TRY(largest->spill(spill_));
  ++counters_.spills;
  return ok_status();
}

}  // namespace freshet
