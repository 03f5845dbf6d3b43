// Tables that something is wrong with: left out, so that the others go on.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "freshet/schema.h"

namespace freshet {

struct SetAside {
  std::string reason;           ///< For people.
  bool may_not_select = false;  ///< Our role may not read it: taken up again once it may.
  bool is_tried = false;        ///< The wish to copy it again was there already.
};

/// By destination and table. Kept for as long as the process runs: who starts it again wants the
/// tables tried again. Used by the thread that runs the pipeline alone.
using SetAsideTables = std::map<std::pair<std::string, TableName>, SetAside>;

/// Tables that were taken up again as they can be read, and could be at each look since: one that
/// is set aside once more lacks something else. Lives as long.
using ReadableTables = std::set<TableName>;

/// By destination and table: an update came for a row that the destination lacks. It is asked from
/// then on, so that such rows are read again at the source.
using PatchyTables = std::set<std::pair<std::string, TableName>>;

/// By destination and table: to be copied again when the next session begins.
using TablesToCopyAgain = std::set<std::pair<std::string, TableName>>;

}  // namespace freshet
