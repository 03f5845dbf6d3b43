// Each embedder that a transform uses: its files, or one request to its server.
#include <set>

#include <fmt/format.h>

#include "base/error_policy.h"
#include "embedders/http/http_embedder.h"
#include "embedders/static_model/static_model.h"
#include "ops/check/destination_check.h"

namespace freshet::ops {
namespace {

Result<std::size_t> probe_http(const EmbedderConfig& config) {
  HttpEmbedderOptions options;
  options.endpoint.url = config.url;
  options.endpoint.api_key = Secret{config.api_key};
  options.endpoint.request_timeout = config.timeout;
  options.model = config.model;
  options.attempts_max = 1;
  Result<std::unique_ptr<HttpEmbedder>> embedder = HttpEmbedder::open(std::move(options));
  if (!embedder.ok()) return std::move(embedder).error();
  return (*embedder)->dimensions();
}

Result<std::size_t> probe(const EmbedderConfig& config) {
  if (config.type == EmbedderType::http) return probe_http(config);
  Result<std::unique_ptr<Embedder>> embedder =
      open_static_model({.model = config.model, .directory = config.path});
  if (!embedder.ok()) return std::move(embedder).error();
  return (*embedder)->dimensions();
}

}  // namespace

EmbedderDimensions check_embedders(const PipelineConfig& config, Findings& findings) {
  std::set<std::string> used;
  for (const TransformConfig& transform : config.transforms) {
    if (transform.embed) used.insert(transform.embed->with);
  }
  EmbedderDimensions dimensions;
  for (const auto& [name, embedder] : config.embedders) {
    const std::string where = fmt::format("embedder {}", name);
    if (!used.contains(name)) {
      findings.info(Area::embedder, "unused", "no transform uses it", where, "");
      continue;
    }
    const Result<std::size_t> probed = probe(embedder);
    if (!probed.ok()) {
      const Error& error = probed.error();
      findings.error(
          Area::embedder, "embedder", error.describe(), where,
          std::string{error.fix().empty() ? advice_of(error) : std::string_view{error.fix()}});
      continue;
    }
    const bool is_shortened = embedder.type == EmbedderType::http && embedder.dimensions;
    if (!is_shortened && embedder.dimensions && *embedder.dimensions != *probed) {
      findings.error(Area::embedder, "dimensions",
                     fmt::format("the model makes vectors of {}, not {}, dimensions", *probed,
                                 *embedder.dimensions),
                     where, fmt::format("set dimensions to {}, or remove the key", *probed));
    }
    dimensions[name] = is_shortened ? *embedder.dimensions : *probed;
  }
  return dimensions;
}

}  // namespace freshet::ops
