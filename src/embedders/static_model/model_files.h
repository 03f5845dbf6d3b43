// Where the files of a static model are on this machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "freshet/result.h"

namespace freshet {

/// The one that is looked for unless another is named.
inline constexpr std::string_view kDefaultModel = "wordllama-256";

struct ModelFiles {
  std::string weights;    ///< A safetensors file.
  std::string tokenizer;  ///< A tokenizer.json.
};

/// Environment variables that the search depends on, empty when not set.
struct ModelEnvironment {
  std::string freshet_model_dir = {};
  std::string xdg_data_home = {};
  std::string home = {};
  std::string virtual_env = {};

  static ModelEnvironment current();
};

/// The folders that are looked at for `model`, best first: $FRESHET_MODEL_DIR (the model itself or
/// a folder of models), $XDG_DATA_HOME/freshet/models, /usr/share/freshet/models, and the
/// `wordllama` package of an active Python venv.
std::vector<std::string> model_folders(const std::string& model,
                                       const ModelEnvironment& environment);

/// The files in `folder`, laid out as in the Python package (weights/, tokenizers/), flat with the
/// package's names, or as model.safetensors and tokenizer.json.
Result<ModelFiles> find_model_files(const std::string& folder);

/// The files of a model by name. The error names every folder looked at and how to get the model.
Result<ModelFiles> find_model(const std::string& model, const ModelEnvironment& environment);

}  // namespace freshet
