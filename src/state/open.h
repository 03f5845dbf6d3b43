// Opens the state store that a pipeline's configuration names.
#pragma once

#include <memory>
#include <string>

#include "freshet/result.h"
#include "freshet/state_store.h"

namespace freshet {

/// $XDG_STATE_HOME/freshet/<pipeline>.db, else ~/.local/state/freshet/<pipeline>.db. Fails with
/// `config` where neither directory is known. Touches no file.
Result<std::string> default_state_path(const std::string& pipeline);

/// Opens `url`: "sqlite:PATH", "memory:", or "" for the default path. Creates what is absent.
Result<std::unique_ptr<StateStore>> open_state_store(const std::string& url,
                                                     const std::string& pipeline);

}  // namespace freshet
