// Turns pgoutput messages into whole transactions. Holds what is still in progress: streamed
// transactions per xid, prepared ones per gid; spills the largest past a memory budget. A state
// machine: no clock, no thread, no I/O but for its spill store. Messages out of order are protocol
// errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/pgoutput/decoder.h"
#include "core/relation_cache.h"
#include "core/spill.h"
#include "core/transaction.h"
#include "core/transaction_builder.h"
#include "freshet/result.h"

namespace freshet {

/// MAX_BACKENDS of sessions and as many prepared transactions: no server has more open at once.
constexpr std::size_t kOpenTransactionsMax = 2 * 262'143;

/// Which transactions may have been prepared before a session's stream began, so that their PREPARE
/// is not sent: those under these names, and those that were committed at or before `upto`.
struct Undecided {
  std::set<std::string, std::less<>> gids;
  Lsn upto{std::numeric_limits<std::uint64_t>::max()};
};

/// Use from one thread at a time.
class Assembler {
 public:
  struct Options {
    /// Transactions in progress may hold about so much memory; committed ones are their holder's.
    std::size_t memory_bytes_max = std::size_t{64} << 20;
  };

  /// Messages that lead to no transaction, since construction.
  struct Counters {
    std::uint64_t standalone_messages = 0;  ///< Non-transactional logical messages: not delivered.
    std::uint64_t spills = 0;       ///< Times that a transaction was moved to its spill file.
    std::uint64_t rolled_back = 0;  ///< Streamed or prepared transactions that were rolled back.
  };

  /// `spill` must outlive the assembler.
  Assembler(const Options& options, SpillStore& spill);
  ~Assembler();

  /// Takes one message and the LSN of its XLogData header; copies what it needs. Returns a
  /// transaction when one commits (an empty one too: its end LSN is progress), else null. After an
  /// error (protocol, storage, gap) only reset() helps. A COMMIT PREPARED of rows that were never
  /// seen is a `gap`, unless there were none.
  Result<TransactionPtr> push(Lsn message_lsn, std::string_view message);

  /// Ignores a COMMIT PREPARED of an unknown transaction that ends at or before `position`: it was
  /// delivered before. Survives reset().
  void skip_upto(Position position) { skip_upto_ = position; }

  /// Tells what the session's stream may lack; until told: anything. Whatever else is committed
  /// without a PREPARE changed nothing: PostgreSQL 15 to 17 send no PREPARE of a transaction that
  /// only began to change something and went back to a savepoint. Survives reset(): what is above
  /// hold_below() is sent again.
  void set_undecided(Undecided undecided) { undecided_ = std::move(undecided); }

  /// The least PREPARE LSN of prepared transactions that are not decided, or were committed past
  /// `durable`: acknowledge nothing past it, or the server never sends their rows again. Nothing if
  /// there is none.
  std::optional<Lsn> hold_below(Position durable);

  /// Forgets all that is in progress, prepared transactions and relations included: call it when
  /// the connection was made anew, since a new session sends everything again. What was committed
  /// is held for as long as before.
  void reset();

  /// Names a type that the server described, that is one which is not built in; null if it did not.
  const TypeName* find_type(Oid type) const { return relations_.find_type(type); }

  std::size_t memory_bytes() const { return memory_bytes_; }

  std::size_t open_transactions() const;

  const Counters& counters() const { return counters_; }

 private:
  struct Held {
    TransactionBuilder builder;
    Lsn prepare_lsn = kNoLsn;
    Xid xid{0};
  };

  /// A prepared transaction that was committed, but may not be durable anywhere yet.
  struct Decided {
    Lsn prepare_lsn = kNoLsn;
    Lsn end_lsn = kNoLsn;
  };
  enum class Block : std::uint8_t { none, transaction, prepare, stream };

  Result<TransactionPtr> on(const pgoutput::Begin& message);
  Result<TransactionPtr> on(const pgoutput::Commit& message);
  Result<TransactionPtr> on(const pgoutput::Origin& message);
  Result<TransactionPtr> on(const pgoutput::LogicalMessage& message);
  Result<TransactionPtr> on(const pgoutput::Relation& message);
  Result<TransactionPtr> on(const pgoutput::Type& message);
  Result<TransactionPtr> on(const pgoutput::RowChange& message);
  Result<TransactionPtr> on(const pgoutput::Truncate& message);
  Result<TransactionPtr> on(const pgoutput::StreamStart& message);
  Result<TransactionPtr> on(const pgoutput::StreamStop& message);
  Result<TransactionPtr> on(const pgoutput::StreamCommit& message);
  Result<TransactionPtr> on(const pgoutput::StreamAbort& message);
  Result<TransactionPtr> on(const pgoutput::BeginPrepare& message);
  Result<TransactionPtr> on(const pgoutput::Prepare& message);
  Result<TransactionPtr> on(const pgoutput::StreamPrepare& message);
  Result<TransactionPtr> on(const pgoutput::CommitPrepared& message);
  Result<TransactionPtr> on(const pgoutput::RollbackPrepared& message);

  Error misplaced(std::string_view what) const;
  Status check_open_transactions() const;
  void forget_undecided(std::string_view gid);
  void leave_block();
  TransactionPtr finish(TransactionBuilder& builder, const TransactionInfo& info);
  Status hold(TransactionBuilder&& builder, const pgoutput::Prepared& message);
  void drop(TransactionBuilder& builder);
  Result<TransactionPtr> account(std::size_t bytes_before);
  Status spill_largest();

  Options options_;
  SpillStore& spill_;
  Position skip_upto_;
  Undecided undecided_;
  pgoutput::Decoder decoder_;
  RelationCache relations_;
  Block block_ = Block::none;
  TransactionInfo begun_;  // of the plain or prepared block that is open
  std::string begun_gid_;
  Lsn message_lsn_ = kNoLsn;
  TransactionBuilder plain_;               // of the plain or prepared block that is open
  TransactionBuilder* current_ = nullptr;  // where rows go; null outside a block
  std::unordered_map<Xid, TransactionBuilder> streamed_;
  std::map<std::string, Held, std::less<>> prepared_;
  std::vector<Decided> decided_;
  std::size_t memory_bytes_ = 0;
  Counters counters_;
};

}  // namespace freshet
