// What a command tells a person, on stderr: once, and with a way out.
#pragma once

#include <string>
#include <string_view>

#include "freshet/result.h"

namespace freshet {

enum class NoteKind : unsigned char { error, warning, info };

/// Colours are for people who look at a terminal and did not ask for none (NO_COLOR).
bool wants_color(int descriptor);

/// `error: text` with the word coloured on a terminal; info has no prefix.
void print_note(NoteKind kind, std::string_view text);

/// Three lines at most: `error: …`, `  where: …`, `  fix: …`. Pure.
std::string format_error(const Error& error);

/// Prints the error and returns the exit code that it leads to (see base/error_policy.h).
int fail_with(const Error& error);

}  // namespace freshet
