#include "pipeline/transform_set.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/secret.h"
#include "base/try.h"
#include "embedders/caching_embedder.h"
#include "embedders/http/http_embedder.h"
#include "embedders/static_model/static_model.h"
#include "transforms/embed/embed_transform.h"
#include "transforms/mask/mask_transform.h"

namespace freshet {
namespace {

Error key_file_error(const std::string& path) {
  return Error{ErrorKind::storage, "the key of hash masks cannot be kept"}
      .with("path", path)
      .with("reason", std::strerror(errno))
      .fix("make the directory writable, or give mask_key in the configuration");
}

constexpr std::size_t kKeyFileBytesMax = 256;

Result<Secret> read_mask_key(int file, const std::string& path) {
  std::array<char, kKeyFileBytesMax> bytes{};
  const ssize_t size = ::read(file, bytes.data(), bytes.size());
  ::close(file);
  if (size <= 0) return key_file_error(path);
  return Secret{std::string(bytes.data(), static_cast<std::size_t>(size))};
}

// Takes its name only once it lies whole on the disk: a key cut short would be used as it is. One
// that another pipeline made meanwhile stays.
Status write_mask_key(const Secret& key, const std::string& path) {
  std::string unfinished = path + ".XXXXXX";
  const int file = ::mkostemp(unfinished.data(), O_CLOEXEC);  // readable to the owner only
  if (file < 0) return key_file_error(unfinished);
  const auto size = static_cast<ssize_t>(key.reveal().size());
  const bool is_written =
      ::write(file, key.reveal().data(), key.reveal().size()) == size && ::fsync(file) == 0;
  ::close(file);
  const bool is_named =
      is_written && (::link(unfinished.c_str(), path.c_str()) == 0 || errno == EEXIST);
  Status done = is_named ? ok_status() : Status{key_file_error(path)};
  ::unlink(unfinished.c_str());
  return done;
}

// The key made at the first start must outlive it: with another one equal values would hash
// differently before and after.
Result<Secret> load_or_make_mask_key(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);
  const std::string path = directory + "/mask.key";
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) {
    FRESHET_TRY(const Secret key, generate_mask_key());
    FRESHET_TRY(write_mask_key(key, path));
    file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (file < 0) return key_file_error(path);
  return read_mask_key(file, path);
}

}  // namespace

// An embedder as configured, and what stands in front of it.
struct OpenEmbedder {
  std::unique_ptr<Embedder> model;
  HttpEmbedder* http = nullptr;
  std::unique_ptr<CachingEmbedder> cache;

  Embedder& front() { return cache ? static_cast<Embedder&>(*cache) : *model; }
};

struct TransformSet::Members {
  std::map<std::string, OpenEmbedder> embedders;
  std::vector<std::unique_ptr<Transform>> transforms;
  std::vector<EmbedTransform*> embeds;
};

namespace {

Result<OpenEmbedder> open_embedder(const EmbedderConfig& config) {
  OpenEmbedder opened;
  if (config.type == EmbedderType::static_model) {
    FRESHET_TRY(opened.model, open_static_model({.model = config.model, .directory = config.path}));
    return opened;
  }
  HttpEmbedderOptions options;
  options.endpoint.url = config.url;
  options.endpoint.api_key = Secret{config.api_key};
  options.endpoint.request_timeout = config.timeout;
  options.model = config.model;
  options.dimensions = config.dimensions.value_or(0);
  options.batch_texts_max = config.batch_texts_max;
  options.requests_in_flight = config.requests_in_flight;
  FRESHET_TRY(auto http, HttpEmbedder::open(std::move(options)));
  opened.http = http.get();
  opened.model = std::move(http);
  // A text that did not change costs no request. (The static model is as fast as the cache.)
  opened.cache = std::make_unique<CachingEmbedder>(*opened.model, CachingEmbedder::Options{});
  return opened;
}

}  // namespace

TransformSet::TransformSet(std::unique_ptr<Members> members) : members_(std::move(members)) {}

TransformSet::~TransformSet() = default;

Result<std::unique_ptr<TransformSet>> TransformSet::make(const PipelineConfig& config,
                                                         const std::string& state_directory) {
  auto members = std::make_unique<Members>();
  for (const TransformConfig& transform : config.transforms) {
    if (transform.embed) {
      const std::string& name = transform.embed->with;
      if (!members->embedders.contains(name)) {
        const auto embedder = config.embedders.find(name);
        if (embedder == config.embedders.end()) {
          return Error{ErrorKind::config, "a transform names an embedder that is not configured"}
              .with("embedder", name);
        }
        FRESHET_TRY(auto opened, open_embedder(embedder->second));
        members->embedders.emplace(name, std::move(opened));
      }
      auto embed = std::make_unique<EmbedTransform>(EmbedOptions{.table = transform.table,
                                                                 .from = transform.embed->from,
                                                                 .into = transform.embed->into},
                                                    members->embedders.at(name).front());
      members->embeds.push_back(embed.get());
      members->transforms.push_back(std::move(embed));
      continue;
    }
    MaskOptions options{.table = transform.table, .columns = {}, .key = Secret{config.mask_key}};
    bool needs_key = false;
    for (const auto& [column, method] : transform.mask) {
      options.columns.push_back({.column = column, .method = method});
      needs_key = needs_key || method == MaskMethod::hash;
    }
    if (needs_key && options.key.empty()) {
      FRESHET_TRY(options.key, load_or_make_mask_key(state_directory));
    }
    FRESHET_TRY(auto mask, MaskTransform::make(std::move(options)));
    members->transforms.push_back(std::move(mask));
  }
  return std::unique_ptr<TransformSet>(new TransformSet(std::move(members)));
}

std::vector<Transform*> TransformSet::of(const TableName& table) const {
  std::vector<Transform*> found;
  for (const auto& transform : members_->transforms) {
    if (transform->table() == table) found.push_back(transform.get());
  }
  return found;
}

std::uint64_t TransformSet::texts_embedded() const {
  std::uint64_t texts = 0;
  for (const EmbedTransform* embed : members_->embeds)
    texts += embed->text_count();
  return texts;
}

void TransformSet::cancel() {
  for (auto& [name, embedder] : members_->embedders) {
    if (embedder.http != nullptr) embedder.http->cancel();
  }
}

}  // namespace freshet
