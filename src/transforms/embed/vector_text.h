// Vectors as pgvector reads them: `[0.1,-2,3e-05]`.
#pragma once

#include <span>
#include <string>

namespace freshet {

/// Appends `vector` in the shortest digits that read back as the same floats.
void append_vector_text(std::span<const float> vector, std::string& out);

}  // namespace freshet
