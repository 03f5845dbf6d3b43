// What waits in freshet.quarantine, for people and for a replay.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "freshet/lsn.h"
#include "freshet/result.h"
#include "freshet/schema.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Which entries are meant; all by default.
struct QuarantineFilter {
  std::optional<TableName> table{};
  std::optional<std::uint64_t> id{};
};

/// Entries of one table that were refused for one reason.
struct QuarantineSummary {
  TableName table;
  std::string sqlstate;    ///< Empty: they wait for an earlier change of their key.
  std::string constraint;  ///< May be empty.
  std::string message;     ///< Of one of them.
  std::uint64_t count = 0;
  Lsn oldest = kNoLsn;  ///< Commit LSN.
};

/// One change, as it is kept. Holds values of rows.
struct QuarantineEntry {
  std::uint64_t id = 0;
  TableName table;
  std::string op;
  std::string keys;  ///< JSON, as the next four.
  std::string key_columns;
  std::string before;  ///< Empty: none.
  std::string after;
  std::string unchanged;
  std::string addressing;
  Lsn lsn = kNoLsn;
  Lsn commit_lsn = kNoLsn;
  std::string xid;
  std::string committed_at;
  std::string sqlstate;
  std::string constraint;
  std::string message;
  std::string quarantined_at;
};

/// False where nothing was ever set up at this destination.
Result<bool> has_quarantine(pg::Connection& connection);

Result<std::vector<QuarantineSummary>> summarize_quarantine(pg::Connection& connection,
                                                            const std::string& pipeline,
                                                            const QuarantineFilter& filter);

/// The oldest `limit` of them, by id.
Result<std::vector<QuarantineEntry>> load_quarantine(pg::Connection& connection,
                                                     const std::string& pipeline,
                                                     const QuarantineFilter& filter,
                                                     std::uint64_t limit);

/// Of those ids, what is still there, by id; locked until the transaction ends.
Result<std::vector<QuarantineEntry>> lock_entries(pg::Connection& connection,
                                                  const std::string& pipeline,
                                                  std::span<const std::uint64_t> ids);

/// Takes the lock that each commit of the pipeline takes: until the transaction ends, none comes.
Status lock_pipeline(pg::Connection& connection, const std::string& pipeline);

/// Forgets the entries; how many there were.
Result<std::uint64_t> drop_quarantine(pg::Connection& connection,
                                      const std::string& pipeline,
                                      const QuarantineFilter& filter);

}  // namespace freshet::postgres
