// `freshet drop`: removes what Freshet made, never data.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "freshet/config.h"
#include "freshet/result.h"

namespace freshet::ops {

/// What there is to drop, before anything is.
struct DropPlan {
  std::string slot;                       ///< Empty: there is none.
  int active_pid = 0;                     ///< Server process that streams from it; 0: none.
  std::string publication;                ///< Set iff Freshet made it and it is there.
  std::vector<std::string> destinations;  ///< Those that keep this pipeline's position.
  bool has_state = false;

  bool empty() const {
    return slot.empty() && publication.empty() && destinations.empty() && !has_state;
  }
};

/// Said as each thing goes, e.g. "dropped the slot freshet_p".
using DropReport = std::function<void(const std::string& line)>;

Result<DropPlan> plan_drop(const PipelineConfig& config);

/// Takes the lease (so that no Freshet runs meanwhile), then removes slot, publication, the rows in
/// freshet.progress and freshet.tables at each Postgres destination, and the state. Data tables
/// stay. May be repeated after a failure: what is gone is no error.
Status drop_pipeline(const PipelineConfig& config, const DropReport& report);

}  // namespace freshet::ops
