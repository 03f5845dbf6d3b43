// Makes the indexes, constraints, defaults and sequences that are recorded as wanted, one after the
// other. What cannot be made is told once, recorded, and stops nothing.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "freshet/result.h"
#include "freshet/table_object.h"
#include "pg/connection.h"

namespace freshet::postgres {

/// Tries whether the role may write without firing foreign keys. Fired by our own writes they would
/// refuse changes whose order they do not know, and change rows (ON DELETE) that the source changes
/// too.
Status try_replica_role(pg::Connection& connection);

/// What to tell where the role may not.
Error without_foreign_keys();

/// Of one table, over a connection that is in no transaction. The lane may take away at any time
/// what it works on: whether an object may stand is asked again under the table's lock.
class ObjectMaker {
 public:
  struct Options {
    /// Asked before each object, with the other table that it needs or none: false if that table,
    /// or its own, is to be left alone for now.
    std::function<bool(const TableName& other)> may_begin{};
    /// That was tried often enough: recorded as failed if it fails again.
    std::string gives_up_on{};
  };

  ObjectMaker(pg::Connection& connection,
              const std::string& pipeline,
              const TableName& table,
              Options options)
      : connection_(connection), pipeline_(pipeline), table_(table), options_(std::move(options)) {}

  ObjectMaker(pg::Connection& connection, const std::string& pipeline, const TableName& table)
      : ObjectMaker(connection, pipeline, table, Options{}) {}

  /// Fails only with what may be tried again, naming the object: a lost connection, a lock that is
  /// not to be had, a full disk.
  Status run();

 private:
  struct Wanted {
    std::string place;
    TableObject object;
    bool is_begun = false;  ///< Building it began before.
  };

  Status begin(const Wanted& wanted);
  Status make(const Wanted& wanted);
  Status settle_failure(const Wanted& wanted, const Error& error);
  Status make_index(const Wanted& wanted);
  Status make_in_transaction(const Wanted& wanted);
  Status lock_record(const Wanted& wanted);
  Status lock(const TableObject& object);
  Status create(const TableObject& object);
  Status create_sequence(const TableObject& object);
  Status advance_sequence(const TableObject& object);
  Status alter(const std::string& action);
  std::vector<TableName> tables_of(const TableObject& object) const;
  std::string find_lock_holder(const TableObject& object);
  Status may_have_foreign_keys();
  void note_failure(const TableObject& object);
  Status record_failure(const Wanted& wanted, const Error& error);
  /// False if the object may not stand any more.
  Result<bool> set_state(const Wanted& wanted,
                         std::string_view state,
                         std::optional<std::string_view> reason = {});

  pg::Connection& connection_;
  const std::string& pipeline_;
  const TableName& table_;
  Options options_;
  std::set<std::string> failed_;  // indexes and constraints that others of that name need
};

}  // namespace freshet::postgres
