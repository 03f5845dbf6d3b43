// The contract of the place where a pipeline keeps what it must remember between runs.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "freshet/destination.h"
#include "freshet/result.h"

namespace freshet {

/// Who runs a pipeline.
struct Holder {
  std::string host;
  long pid = 0;
};

struct DestinationProgress {
  std::string destination;
  Position position;
};

struct TableState {
  std::string destination;
  TableName table;
  TablePhase phase = TablePhase::pending;
  std::string reason;  ///< Why it is errored or paused; else empty.
};

struct StoredPipeline {
  std::optional<SlotIdentity> slot;
  std::optional<std::string> publication;  ///< Set iff Freshet created it (then `drop` removes it).
  std::vector<DestinationProgress> positions;
  std::vector<TableState> tables;
  std::vector<TableSchema> schemas;  ///< The newest version of each table.
  std::string watched;  ///< What the source's catalogue said of the tables when last looked at.
  std::optional<Holder> holder;  ///< Who holds the lease now.
};

/// Thread-safe. Every change carries the lease; a stale epoch is refused with ErrorKind::fenced.
class StateStore {
 public:
  virtual ~StateStore() = default;
  /// Takes the pipeline: raises the epoch. While a living process (on this host: its pid exists;
  /// elsewhere: it renewed within kLeaseTimeout) holds it, fails with `lease_held`, naming host and
  /// pid.
  virtual Result<Lease> acquire(const std::string& pipeline, const Holder& self) = 0;
  /// Says that the holder lives; to be called every few seconds.
  virtual Status renew(const Lease& lease) = 0;
  virtual Status release(const Lease& lease) = 0;
  /// Reads everything kept of `pipeline`; needs no lease (for `status`). Empty if it is unknown.
  virtual Result<StoredPipeline> load(const std::string& pipeline) = 0;
  virtual Status store_slot(const Lease& lease, const SlotIdentity& slot) = 0;
  virtual Status store_publication(const Lease& lease, const std::string& created) = 0;
  virtual Status store_position(const Lease& lease, const DestinationProgress& progress) = 0;
  /// `copying` and `streaming`, and schemas, are durable no later than the next thing stored that
  /// is neither: without them a copy begins again.
  virtual Status store_table(const Lease& lease, const TableState& table) = 0;
  virtual Status store_schema(const Lease& lease, const TableSchema& schema) = 0;
  virtual Status store_watched(const Lease& lease, const std::string& watched) = 0;
  /// Forgets the pipeline altogether, its lease included.
  virtual Status forget(const Lease& lease) = 0;
};

constexpr std::chrono::seconds kLeaseTimeout{15};

}  // namespace freshet
