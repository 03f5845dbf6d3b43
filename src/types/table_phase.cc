#include <array>
#include <utility>

#include "freshet/destination.h"

namespace freshet {
namespace {

constexpr std::array<std::pair<TablePhase, std::string_view>, 6> kPhases{{
    {TablePhase::pending, "pending"},
    {TablePhase::copying, "copying"},
    {TablePhase::catching_up, "catching_up"},
    {TablePhase::streaming, "streaming"},
    {TablePhase::paused, "paused"},
    {TablePhase::errored, "errored"},
}};

}  // namespace

std::string_view to_string(TablePhase phase) noexcept {
  for (const auto& [value, name] : kPhases) {
    if (value == phase) return name;
  }
  return "unknown";
}

std::optional<TablePhase> parse_table_phase(std::string_view text) noexcept {
  for (const auto& [value, name] : kPhases) {
    if (name == text) return value;
  }
  return {};
}

}  // namespace freshet
