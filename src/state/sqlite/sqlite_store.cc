#include "state/sqlite/sqlite_store.h"

#include <optional>
#include <utility>

#include "base/try.h"
#include "state/holder.h"
#include "state/sqlite/rows.h"
#include "state/sqlite/sql.h"

namespace freshet {
namespace {

constexpr std::int64_t kFileVersion = 2;

Result<std::int64_t> read_integer(Database& database, std::string_view sql) {
  FRESHET_TRY(Statement rows, database.prepare(sql));
  FRESHET_TRY(const bool has_row, rows.next());
  return has_row ? rows.integer(0) : 0;
}

// A torn or overwritten page is found here rather than in the middle of a run. The file is small.
Status check_pages(Database& database) {
  FRESHET_TRY(Statement rows, database.prepare("PRAGMA quick_check(1)"));
  FRESHET_TRY(const bool has_row, rows.next());
  if (has_row && rows.text(0) == "ok") return ok_status();
  return database.error(11);  // SQLITE_CORRUPT
}

}  // namespace

SqliteStore::SqliteStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
  FRESHET_TRY(auto database, Database::open(path));
  FRESHET_TRY(database->run_script(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"));
  FRESHET_TRY(check_pages(*database));
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(database)));
  FRESHET_TRY(store->migrate());
  return store;
}

Status SqliteStore::migrate() {
  FRESHET_TRY(Transaction transaction, Transaction::begin_write(*database_));
  FRESHET_TRY(const std::int64_t version, read_integer(*database_, "PRAGMA user_version"));
  if (version != 0 && version != kFileVersion) {
    const bool is_newer = version > kFileVersion;
    return Error{ErrorKind::storage, is_newer ? "the state file was written by a newer freshet"
                                              : "the state file was written by an older freshet"}
        .with("path", database_->path())
        .with("file_version", std::to_string(version))
        .with("known_version", std::to_string(kFileVersion))
        .fix(is_newer ? "run the newer freshet, or name another file with `state: sqlite:PATH`"
                      : "run the older freshet, or let it `drop` the pipeline and start again");
  }
  if (version == 0) {
    FRESHET_TRY(const std::int64_t tables,
                read_integer(*database_, "SELECT count(*) FROM sqlite_schema"));
    if (tables != 0) {
      return Error{ErrorKind::storage, "the file is another program's database, not a state file"}
          .with("path", database_->path())
          .fix("name another file with `state: sqlite:PATH`");
    }
    FRESHET_TRY(database_->run_script(std::string{sql::kSqlCreateTables}));
  }
  return transaction.commit();
}

Result<Lease> SqliteStore::acquire(const std::string& pipeline, const Holder& self) {
  const std::lock_guard lock(mutex_);
  FRESHET_TRY(Transaction transaction, Transaction::begin_write(*database_));
  FRESHET_TRY(const auto known, state_rows::load_lease(*database_, pipeline));
  if (known && known->holder && is_alive(*known->holder, self.host)) {
    return lease_held_error(pipeline, known->holder->holder);
  }
  FRESHET_TRY(const std::int64_t last, read_integer(*database_, sql::kSqlLoadEpochCounter));
  const std::uint64_t epoch = next_epoch(static_cast<std::uint64_t>(last));
  FRESHET_TRY(state_rows::store_lease(
      *database_, pipeline, {.epoch = epoch, .holder = lease_holder(self), .publication = {}}));
  FRESHET_TRY(transaction.commit());
  return Lease{.pipeline = pipeline,
               .epoch = epoch,
               .holder = self.host + " pid " + std::to_string(self.pid)};
}

Status SqliteStore::set_sync(Sync sync) {
  if (sync == sync_) return ok_status();
  FRESHET_TRY(database_->run_script(sync == Sync::at_once ? "PRAGMA synchronous = FULL"
                                                          : "PRAGMA synchronous = NORMAL"));
  sync_ = sync;
  return ok_status();
}

template <typename Change>
Status SqliteStore::with_lease(const Lease& lease, Change change) {
  return with_lease(lease, Sync::at_once, std::move(change));
}

template <typename Change>
Status SqliteStore::with_lease(const Lease& lease, Sync sync, Change change) {
  const std::lock_guard lock(mutex_);
  FRESHET_TRY(set_sync(sync));
  FRESHET_TRY(Transaction transaction, Transaction::begin_write(*database_));
  FRESHET_TRY(const auto known, state_rows::load_lease(*database_, lease.pipeline));
  if (!known || !known->holder || known->epoch != lease.epoch) return fenced_error(lease);
  FRESHET_TRY(change(*database_));
  return transaction.commit();
}

Status SqliteStore::renew(const Lease& lease) {
  return with_lease(lease, [&](Database& database) -> Status {
    FRESHET_TRY(Statement renewal, database.prepare(sql::kSqlRenewLease));
    return renewal.bind(lease.pipeline).bind(lease_holder({}).renewed_at_ms).run();
  });
}

Status SqliteStore::release(const Lease& lease) {
  return with_lease(lease, [&](Database& database) -> Status {
    FRESHET_TRY(Statement release, database.prepare(sql::kSqlReleaseLease));
    return release.bind(lease.pipeline).run();
  });
}

Result<StoredPipeline> SqliteStore::load(const std::string& pipeline) {
  const std::lock_guard lock(mutex_);
  // One transaction, so that slot and positions belong together.
  FRESHET_TRY(const Transaction transaction, Transaction::begin_read(*database_));
  StoredPipeline stored;
  FRESHET_TRY(stored.wishes, state_rows::load_wishes(*database_, pipeline));
  FRESHET_TRY(auto lease, state_rows::load_lease(*database_, pipeline));
  if (!lease) return stored;
  stored.publication = std::move(lease->publication);
  if (lease->holder && is_alive(*lease->holder, this_host_name())) {
    stored.holder = lease->holder->holder;
  }
  FRESHET_TRY(state_rows::load_slot(*database_, pipeline, stored));
  FRESHET_TRY(state_rows::load_positions(*database_, pipeline, stored));
  FRESHET_TRY(state_rows::load_tables(*database_, pipeline, stored));
  FRESHET_TRY(state_rows::load_schemas(*database_, pipeline, stored));
  FRESHET_TRY(state_rows::load_watched(*database_, pipeline, stored));
  return stored;
}

Status SqliteStore::store_slot(const Lease& lease, const SlotIdentity& slot) {
  return with_lease(lease, [&](Database& database) {
    return state_rows::store_slot(database, lease.pipeline, slot);
  });
}

Status SqliteStore::store_publication(const Lease& lease, const std::string& created) {
  return with_lease(lease, [&](Database& database) -> Status {
    FRESHET_TRY(Statement store, database.prepare(sql::kSqlStorePublication));
    return store.bind(lease.pipeline).bind(created).run();
  });
}

Status SqliteStore::store_position(const Lease& lease, const DestinationProgress& progress) {
  return with_lease(lease, [&](Database& database) {
    return state_rows::store_position(database, lease.pipeline, progress);
  });
}

Status SqliteStore::store_table(const Lease& lease, const TableState& table) {
  const bool is_progress =
      table.phase == TablePhase::copying || table.phase == TablePhase::streaming;
  return with_lease(lease, is_progress ? Sync::later : Sync::at_once, [&](Database& database) {
    return state_rows::store_table(database, lease.pipeline, table);
  });
}

Status SqliteStore::store_schema(const Lease& lease, const FollowedSchema& followed) {
  return with_lease(lease, Sync::later, [&](Database& database) {
    return state_rows::store_schema(database, lease.pipeline, followed);
  });
}

Status SqliteStore::store_watched(const Lease& lease, const std::string& watched) {
  return with_lease(lease, [&](Database& database) {
    return state_rows::store_watched(database, lease.pipeline, watched);
  });
}

Status SqliteStore::store_wish(const std::string& pipeline, const WishedTable& wished) {
  const std::lock_guard lock(mutex_);
  FRESHET_TRY(set_sync(Sync::at_once));
  FRESHET_TRY(Transaction transaction, Transaction::begin_write(*database_));
  FRESHET_TRY(state_rows::store_wish(*database_, pipeline, wished));
  return transaction.commit();
}

Result<std::vector<WishedTable>> SqliteStore::load_wishes(const std::string& pipeline) {
  const std::lock_guard lock(mutex_);
  return state_rows::load_wishes(*database_, pipeline);
}

Status SqliteStore::forget_wish(const Lease& lease, const WishedTable& wished) {
  return with_lease(lease, [&](Database& database) {
    return state_rows::forget_wish(database, lease.pipeline, wished);
  });
}

Status SqliteStore::forget(const Lease& lease) {
  return with_lease(lease, [&](Database& database) -> Status {
    FRESHET_TRY(Statement forget, database.prepare(sql::kSqlForget));
    FRESHET_TRY(forget.bind(lease.pipeline).run());
    FRESHET_TRY(Statement forget_wishes, database.prepare(sql::kSqlForgetWishes));
    return forget_wishes.bind(lease.pipeline).run();
  });
}

}  // namespace freshet
