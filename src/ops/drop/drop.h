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
  bool leaves_slot = false;               ///< It was adopted: who made it drops it.
  int active_pid = 0;                     ///< Server process that streams from it; 0: none.
  std::string publication;                ///< Set iff Freshet made it and it is there.
  std::vector<std::string> destinations;  ///< Those that keep this pipeline's position.
  bool has_state = false;

  bool empty() const {
    return (slot.empty() || leaves_slot) && publication.empty() && destinations.empty() &&
           !has_state;
  }
};

/// Of a slot that is left where it is.
std::string words_of_left_slot(const std::string& slot);

/// Said as each thing goes, e.g. "dropped the slot freshet_p".
using DropReport = std::function<void(const std::string& line)>;

Result<DropPlan> plan_drop(const PipelineConfig& config);

/// Takes the lease (so that no Freshet runs meanwhile), then removes the slot unless it was
/// adopted, the publication, the rows in freshet.progress and freshet.tables at each Postgres
/// destination, and the state. Data tables stay. May be repeated after a failure: what is gone is
/// no error.
Status drop_pipeline(const PipelineConfig& config, const DropReport& report);

}  // namespace freshet::ops
