// `freshet table`: one table of a pipeline is left out, or copied again, while the others go on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "freshet/config.h"
#include "freshet/result.h"
#include "freshet/state_store.h"

namespace freshet::ops {

enum class TableAction : std::uint8_t {
  pause,   ///< Left out from now on.
  resume,  ///< Copied again and followed: what it missed was not kept.
  resync,  ///< Copied again; also one that was set aside.
};

struct TableOutcome {
  TableName table;
  bool is_changed = true;  ///< False: it was what is wanted already.
};

struct TableControl {
  std::vector<TableOutcome> tables;  ///< As they were named, once each.
  std::optional<Holder> holder;      ///< Who runs the pipeline, and takes it up within seconds.
};

/// Stores what is wanted of the tables named in `words`. The pipeline need not run, nor have run.
/// Nothing is stored where one of them fails: with `config` if it is none of the pipeline's, if a
/// paused one is to be copied, or if the state is in memory.
Result<TableControl> control_tables(const PipelineConfig& config,
                                    TableAction action,
                                    std::span<const std::string> words);

/// The tables that `words` name, once each. Pure.
Result<std::vector<TableName>> find_tables(std::span<const std::string> words,
                                           std::span<const TableName> known);

/// What to store for it; nothing if all is as wanted. `wished` is what was wanted of it before.
/// Pure.
Result<std::optional<TableWish>> next_wish(TableAction action,
                                           const TableName& table,
                                           std::optional<TableWish> wished);

}  // namespace freshet::ops
