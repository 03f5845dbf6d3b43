// An entry of freshet.quarantine turned into the change that it was. Pure.
#pragma once

#include <deque>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "destinations/postgres/change_record.h"
#include "destinations/postgres/quarantined.h"
#include "freshet/row.h"
#include "freshet/schema.h"

namespace freshet::postgres {

/// Makes schemas that say no more than how rows are addressed, and gives equal ones once.
class StoredSchemas {
 public:
  StoredSchemas() = default;

  /// `definitions`: what tables were made for, which tells what was derived; of others nothing was.
  explicit StoredSchemas(std::map<TableName, SchemaPtr> definitions)
      : definitions_(std::move(definitions)) {}

  /// Of a table with these columns, whose rows are addressed as `entry` says.
  Result<SchemaPtr> get(const QuarantineEntry& entry, const std::vector<std::string>& columns);

 private:
  bool is_derived(const TableName& table, const std::string& column) const;

  std::map<TableName, SchemaPtr> definitions_;
  std::map<std::string, SchemaPtr> schemas_;
};

/// Changes of one chain, with all that they point to. Not to be copied or moved.
class StoredChanges {
 public:
  explicit StoredChanges(StoredSchemas& schemas) : schemas_(schemas) {}

  StoredChanges(const StoredChanges&) = delete;
  StoredChanges& operator=(const StoredChanges&) = delete;

  Status add(const QuarantineEntry& entry);

  struct Place {
    std::uint64_t id = 0;
    SchemaPtr schema;
    Change change;
  };

  /// In the order in which they were added.
  std::span<const Place> places() const { return places_; }

 private:
  RowView row(const TableSchema& schema,
              const RowImage& image,
              const std::vector<std::string>& unchanged);
  /// The columns of the last change of that table, if they are all that `needed` asks for: a delete
  /// knows its key alone, and merges with what came before only if both are of one shape.
  std::vector<std::string> columns_for(const TableName& table,
                                       const std::vector<std::string>& needed) const;

  StoredSchemas& schemas_;
  std::vector<Place> places_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Value>> rows_;
};

}  // namespace freshet::postgres
