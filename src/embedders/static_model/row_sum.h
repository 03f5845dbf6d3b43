// Adds up rows of 16- or 32-bit floats in 32-bit floats: the inner loop of the static embedder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "embedders/static_model/safetensors.h"

namespace freshet {

/// sum[c] += row[c] for each row of `rows` that `ids` names, in that order. Ids are below the
/// number of rows; `sum` has one float per column.
using RowSum = void (*)(const char* rows, std::span<const std::uint32_t> ids, std::span<float> sum);

/// The fastest one for rows of `type` that this processor runs.
RowSum fastest_row_sum(Float type) noexcept;
/// The one that runs everywhere; the tests hold the fast one against it.
RowSum portable_row_sum(Float type) noexcept;

}  // namespace freshet
