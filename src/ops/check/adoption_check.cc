#include "ops/check/adoption_check.h"

#include <fmt/format.h>

#include "base/error_policy.h"
#include "base/try.h"
#include "ops/stored_state.h"
#include "source/slot.h"
#include "source/slot_adoption.h"

namespace freshet::ops {
namespace {

bool has_adopted(const PipelineConfig& config) {
  const auto stored = load_stored(config);
  return stored.ok() && stored->slot && stored->slot->consistent_point != kNoLsn;
}

Result<Lsn> find_start(pg::Connection& connection,
                       const SourceFacts& facts,
                       const PipelineConfig& config) {
  FRESHET_TRY(const source::SystemIdentity now, source::load_system_identity(connection));
  const source::AdoptionRequest request{.slot = config.source.slot,
                                        .is_two_phase = config.source.is_two_phase,
                                        .start = config.source.start_lsn,
                                        .now = now};
  FRESHET_TRY(const Lsn start, source::check_adoption(request, facts.slot));
  FRESHET_TRY(source::check_publications_are_older(connection, config.source.slot,
                                                   config.source.publications));
  return start;
}

}  // namespace

void check_adoption(pg::Connection& connection,
                    const SourceFacts& facts,
                    const PipelineConfig& config,
                    Findings& findings) {
  if (!config.source.adopts_slot || has_adopted(config)) return;
  const std::string where = fmt::format("slot {}", config.source.slot);
  const auto start = find_start(connection, facts, config);
  if (!start.ok()) {
    const Error& error = start.error();
    findings.error(Area::source, "adopt_slot", error.describe(), where,
                   std::string{error.fix().empty() ? advice_of(error) : error.fix()});
    return;
  }
  findings.info(Area::source, "adopt_slot",
                fmt::format("the slot is adopted: streaming begins at {}, and `freshet drop` will "
                            "leave it",
                            to_string(*start)),
                where, "");
}

}  // namespace freshet::ops
