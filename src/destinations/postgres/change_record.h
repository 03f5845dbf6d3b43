// A change as freshet.quarantine keeps it: the rows as JSON, and the keys that it concerns. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "destinations/postgres/target.h"
#include "freshet/arena.h"
#include "freshet/result.h"
#include "freshet/row.h"

namespace freshet::postgres {

/// Stands for every key of a table: where only the server knows which keys are equal. No line of
/// COPY text looks like it.
constexpr std::string_view kEveryKey = "\\*";

/// Stands for the addressing of a change whose columns have other names by now, or are gone.
constexpr std::string_view kOutdated = "outdated";

std::string_view to_string(Addressing addressing) noexcept;
std::optional<Addressing> parse_addressing(std::string_view text) noexcept;

/// What must keep its order with the change: the key of the row that is, then that of the row that
/// was, if it is another one. None where rows are only ever added.
std::vector<std::string> keys_of(const Target& target, const Change& change);

/// The columns of freshet.quarantine that hold JSON.
struct ChangeRecord {
  std::string keys;
  std::string key_columns;
  std::optional<std::string> before;
  std::optional<std::string> after;
  std::string unchanged;  ///< Names of columns whose values were not sent.
};

/// `keys` are those of the change. Fails with `data` where a value cannot be kept.
Result<ChangeRecord> record_of(const Target& target,
                               const Change& change,
                               std::span<const std::string> keys);

/// A row as it was kept: columns in order, nothing for NULL.
using RowImage = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// Both fail with `storage` where the text is none that record_of made.
Result<RowImage> parse_image(std::string_view json);
Result<std::vector<std::string>> parse_names(std::string_view json);

}  // namespace freshet::postgres
