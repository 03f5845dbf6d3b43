#include "embedders/static_model/model_files.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/try.h"

namespace freshet {
namespace {

namespace fs = std::filesystem;

struct Layout {
  std::string_view weights;
  std::string_view tokenizer;
};

constexpr Layout kLayouts[] = {
    {"weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json"},
    {"l2_supercat_256.safetensors", "l2_supercat_tokenizer_config.json"},
    {"model.safetensors", "tokenizer.json"},
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

bool is_file(const fs::path& path) {
  std::error_code failure;
  return fs::is_regular_file(path, failure);
}

std::vector<std::string> venv_folders(const std::string& venv) {
  std::vector<std::string> folders;
  if (venv.empty()) return folders;
  std::error_code failure;
  for (fs::directory_iterator at(fs::path{venv} / "lib", failure), end; !failure && at != end;
       at.increment(failure)) {
    if (!at->path().filename().string().starts_with("python")) continue;
    folders.push_back((at->path() / "site-packages" / "wordllama").string());
  }
  return folders;
}

}  // namespace

ModelEnvironment ModelEnvironment::current() {
  return {.freshet_model_dir = variable("FRESHET_MODEL_DIR"),
          .xdg_data_home = variable("XDG_DATA_HOME"),
          .home = variable("HOME"),
          .virtual_env = variable("VIRTUAL_ENV")};
}

std::vector<std::string> model_folders(const std::string& model,
                                       const ModelEnvironment& environment) {
  std::vector<std::string> folders;
  if (!environment.freshet_model_dir.empty()) {
    folders.push_back((fs::path{environment.freshet_model_dir} / model).string());
    folders.push_back(environment.freshet_model_dir);
  }
  fs::path data = environment.xdg_data_home;
  if (data.empty() && !environment.home.empty()) {
    data = fs::path{environment.home} / ".local" / "share";
  }
  if (!data.empty()) folders.push_back((data / "freshet" / "models" / model).string());
  folders.push_back((fs::path{"/usr/share/freshet/models"} / model).string());
  if (model == kDefaultModel) {
    for (auto& folder : venv_folders(environment.virtual_env))
      folders.push_back(std::move(folder));
  }
  return folders;
}

Result<ModelFiles> find_model_files(const std::string& folder) {
  for (const Layout& layout : kLayouts) {
    const fs::path weights = fs::path{folder} / layout.weights;
    const fs::path tokenizer = fs::path{folder} / layout.tokenizer;
    if (is_file(weights) && is_file(tokenizer)) {
      return ModelFiles{.weights = weights.string(), .tokenizer = tokenizer.string()};
    }
  }
  return Error{ErrorKind::config, "folder holds no static model"}
      .with("path", folder)
      .fix("put model.safetensors and tokenizer.json there, or unpack the pip package wordllama");
}

Result<ModelFiles> find_model(const std::string& model, const ModelEnvironment& environment) {
  if (model.empty() || model.find('/') != std::string::npos) {
    return Error{ErrorKind::config, "model name is empty or holds a slash"}.with("model", model);
  }
  std::string looked_at;
  for (const std::string& folder : model_folders(model, environment)) {
    Result<ModelFiles> files = find_model_files(folder);
    if (files.ok()) return files;
    looked_at += (looked_at.empty() ? "" : ", ") + folder;
  }
  return Error{ErrorKind::config, "static model was not found"}
      .with("model", model)
      .with("looked_at", looked_at)
      .fix(
          "get it with `pip install --no-deps wordllama==0.4.0.post1` and set FRESHET_MODEL_DIR to "
          "the package's folder, or give `path:` in the embedder's settings");
}

}  // namespace freshet
