// The contract of the place where a pipeline keeps what it must remember between runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
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
  std::string reason;  ///< Why it is errored or paused; what `schema_changes: ignore` left out.
};

/// What a destination's table was last made for. Each destination gets to a change in its own time.
struct FollowedSchema {
  std::string destination;
  TableSchema schema;
};

/// What an operator wants of one table. The pipeline takes it up within seconds, or when it starts.
enum class TableWish : std::uint8_t {
  paused,  ///< Its changes are left out, for as long as this wish stands.
  resync,  ///< It is copied again; then the wish is forgotten.
};
std::string_view to_string(TableWish wish) noexcept;
std::optional<TableWish> parse_table_wish(std::string_view text) noexcept;

struct WishedTable {
  TableName table;
  TableWish wish = TableWish::paused;
  friend bool operator==(const WishedTable&, const WishedTable&) = default;
};

struct StoredPipeline {
  std::optional<SlotIdentity> slot;
  std::optional<std::string> publication;  ///< Set iff Freshet created it (then `drop` removes it).
  std::vector<DestinationProgress> positions;
  std::vector<TableState> tables;
  std::vector<FollowedSchema> schemas;  ///< One per destination and table.
  std::string watched;  ///< What the source's catalogue said of the tables when last looked at.
  std::vector<WishedTable> wishes;  ///< One per table at most, by name.
  std::optional<Holder> holder;     ///< Who holds the lease now.
};

/// Thread-safe. Every change but that of a wish carries the lease; a stale epoch is refused with
/// ErrorKind::fenced.
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
  virtual Status store_schema(const Lease& lease, const FollowedSchema& followed) = 0;
  virtual Status store_watched(const Lease& lease, const std::string& watched) = 0;
  /// Keeps what an operator wants of a table, in place of what was wanted of it before. Needs no
  /// lease, nor that the pipeline ever ran.
  virtual Status store_wish(const std::string& pipeline, const WishedTable& wished) = 0;
  /// The wishes alone; cheap enough to be asked for each second. Needs no lease.
  virtual Result<std::vector<WishedTable>> load_wishes(const std::string& pipeline) = 0;
  /// Forgets a wish that came true. One that an operator put in its place meanwhile stays.
  virtual Status forget_wish(const Lease& lease, const WishedTable& wished) = 0;
  /// Forgets the pipeline altogether, its lease and the wishes included.
  virtual Status forget(const Lease& lease) = 0;
};

constexpr std::chrono::seconds kLeaseTimeout{15};

}  // namespace freshet
