// Finds what a misspelt word was meant to be.
#pragma once

#include <span>
#include <string_view>

namespace freshet {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`, ignoring
/// case. Words are cut at 64 bytes.
unsigned edit_distance(std::string_view a, std::string_view b);

/// The candidate closest to `word`, or empty if none is close enough to be meant.
std::string_view find_nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace freshet
