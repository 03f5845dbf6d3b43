// Whether the destination holds exactly what the source holds, and the right vectors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "freshet/embedder.h"
#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet {

struct TableVerdict {
  std::string table;
  std::uint64_t rows = 0;
  std::uint64_t missing = 0;  ///< Rows of the source that the destination lacks (EXCEPT ALL).
  std::uint64_t extra = 0;    ///< Rows of the destination that the source lacks.
};

struct Verdict {
  std::vector<TableVerdict> tables;
  std::uint64_t texts_without_vector = 0;
  std::uint64_t vectors_checked = 0;
  std::uint64_t vectors_wrong = 0;
  bool is_equal() const;
};

/// Compares all source columns with EXCEPT ALL both ways, at the destination, over a copy of the
/// source's rows; and computes every vector again from the source's text. Both must be at rest.
Result<Verdict> compare(pg::Connection& source, pg::Connection& destination, Embedder& embedder);

/// Spoils one value or one vector at the destination: for the test of compare().
Status tamper(pg::Connection& destination, const std::string& what);

}  // namespace freshet
