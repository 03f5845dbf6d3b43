// An embedder that needs no network and no GPU: a vector is the mean of its tokens' rows in a
// table, scaled to length 1.
#pragma once

#include <memory>
#include <string>

#include "freshet/embedder.h"

namespace freshet {

struct StaticModelOptions {
  /// Name of a model that is looked for (see model_files.h); used if `directory` is empty.
  /// Empty: wordllama-256.
  std::string model = {};
  /// Folder of the model's files.
  std::string directory = {};
};

/// Maps the weights and reads the tokenizer: some 50 ms and, besides the mapping, 5 MB. Calls of
/// embed() run in parallel. A text whose rows cancel out, or without any token, gives zeros.
Result<std::unique_ptr<Embedder>> open_static_model(const StaticModelOptions& options);

}  // namespace freshet
