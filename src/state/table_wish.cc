// The words that stores keep wishes as.
#include "freshet/state_store.h"

namespace freshet {

std::string_view to_string(TableWish wish) noexcept {
  switch (wish) {
    case TableWish::paused:
      return "paused";
    case TableWish::resync:
      return "resync";
  }
  return "unknown";
}

std::optional<TableWish> parse_table_wish(std::string_view text) noexcept {
  for (const TableWish wish : {TableWish::paused, TableWish::resync}) {
    if (to_string(wish) == text) return wish;
  }
  return {};
}

}  // namespace freshet
