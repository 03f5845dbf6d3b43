// Can these tables be replicated?
#pragma once

#include <string>
#include <vector>

#include "freshet/config.h"
#include "freshet/result.h"
#include "ops/check/finding.h"
#include "ops/check/source_check.h"
#include "pg/connection.h"

namespace freshet::ops {

/// One partition at the bottom, by its name as SQL.
struct LeafFacts {
  std::string table;
  char kind = 'r';
  char persistence = 'p';
  char identity = 'd';
  bool has_identity_index = false;
};

/// What table_facts.sql says of one table.
struct TableFacts {
  TableName name;
  bool has_schema = false;
  bool is_found = false;
  bool can_use_schema = false;
  bool can_select = false;
  bool is_owner = false;
  char kind = 'r';
  char persistence = 'p';
  char identity = 'd';
  bool is_partition = false;
  bool has_row_security = false;
  bool has_identity_index = false;
  std::string unique_index;  ///< One that could serve as identity, as SQL; may be empty.
  std::vector<std::string> columns;
  std::vector<std::string> generated_columns;
  std::vector<std::string> readable_columns;
  std::vector<std::string> identity_columns;
  std::vector<std::string> nondeterministic_columns;
  std::vector<LeafFacts> leaves;
  std::int64_t child_count = 0;
};

Result<std::vector<TableFacts>> load_table_facts(pg::Connection& connection,
                                                 const std::vector<TableConfig>& tables);

/// Pure. `facts` are in the order of config.source.tables.
void judge_tables(const std::vector<TableFacts>& facts,
                  const SourceFacts& source,
                  const PipelineConfig& config,
                  Findings& findings);

/// Asks the server whether each `copy_where` can limit a copy.
void check_copy_conditions(pg::Connection& connection,
                           const PipelineConfig& config,
                           Findings& findings);

/// Asks the server whether each `where` is a condition that it understands.
void check_filters(pg::Connection& connection, const PipelineConfig& config, Findings& findings);

/// Publications that are named must exist, cover the tables and publish all operations; on a
/// standby also the one that would be created elsewhere.
Status check_publication(pg::Connection& connection,
                         const PipelineConfig& config,
                         bool is_standby,
                         Findings& findings);

}  // namespace freshet::ops
