// The contract of something that turns text into vectors.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "freshet/result.h"

namespace freshet {

/// Turns texts into vectors of a fixed dimension. Calls may come from several threads at once.
class Embedder {
 public:
  virtual ~Embedder() = default;
  /// Dimension of every vector; may ask the model once (an HTTP embedder probes with one short
  /// text).
  virtual Result<std::size_t> dimensions() = 0;
  /// Writes texts.size() vectors, row after row, into `vectors` (texts.size() * dimensions floats).
  /// Texts are not empty. All or nothing: on an error the contents of `vectors` are unspecified.
  /// An error that is one text's fault is of kind `data` and tells its place as `text_index`.
  virtual Status embed(std::span<const std::string_view> texts, std::span<float> vectors) = 0;
};

}  // namespace freshet
