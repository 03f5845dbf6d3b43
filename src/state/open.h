// Opens the state store that a pipeline's configuration names.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "freshet/result.h"
#include "freshet/state_store.h"

namespace freshet {

/// $XDG_STATE_HOME/freshet/<pipeline>.db, else ~/.local/state/freshet/<pipeline>.db. Fails with
/// `config` where neither directory is known. Touches no file.
Result<std::string> default_state_path(const std::string& pipeline);

/// True if `url` names a PostgreSQL database.
bool is_postgres_state(std::string_view url);
/// The file that `url` names, the default one for "". Fails with `config` where it names none.
Result<std::string> state_path(const std::string& url, const std::string& pipeline);

/// Opens `url`: "sqlite:PATH", "postgresql://…", "memory:", or "" for the default path. Creates
/// what is absent.
Result<std::unique_ptr<StateStore>> open_state_store(const std::string& url,
                                                     const std::string& pipeline);
/// The same for reading alone: creates nothing, and gives null where nothing was ever kept.
Result<std::unique_ptr<StateStore>> find_state_store(const std::string& url,
                                                     const std::string& pipeline);
/// Whether the state could be written to the database that `url` names. Changes nothing.
Status check_postgres_state(const std::string& url, const std::string& pipeline);

}  // namespace freshet
