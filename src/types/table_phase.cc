#include "base/enum_names.h"
#include "freshet/destination.h"

namespace freshet {
namespace {

constexpr EnumNames<TablePhase, 6> kPhases{{
    {TablePhase::pending, "pending"},
    {TablePhase::copying, "copying"},
    {TablePhase::catching_up, "catching_up"},
    {TablePhase::streaming, "streaming"},
    {TablePhase::paused, "paused"},
    {TablePhase::errored, "errored"},
}};

}  // namespace

std::string_view to_string(TablePhase phase) noexcept {
  return find_name(kPhases, phase, "unknown");
}

std::optional<TablePhase> parse_table_phase(std::string_view text) noexcept {
  return find_value(kPhases, text);
}

}  // namespace freshet
