// Keeps passwords out of what other users of this machine can see of the process.
#pragma once

#include <span>

namespace freshet {

/// Switches off core dumps and ptrace by other processes of the same user.
void forbid_core_dumps();

/// Overwrites passwords in URLs among the arguments (what `ps` shows), and tells whether there were
/// any. Call after the arguments have been parsed.
bool blank_argument_passwords(std::span<char*> arguments);

}  // namespace freshet
