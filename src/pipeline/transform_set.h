// The transforms and embedders of a pipeline, made from its configuration.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "freshet/config.h"
#include "freshet/embedder.h"
#include "freshet/result.h"
#include "freshet/transform.h"

namespace freshet {

/// Owns them for as long as the pipeline runs.
class TransformSet {
 public:
  /// Opens the embedders that are used; `state_directory` keeps the key of `hash` masks where the
  /// configuration gives none.
  static Result<std::unique_ptr<TransformSet>> make(const PipelineConfig& config,
                                                    const std::string& state_directory);
  ~TransformSet();

  /// In the order of the configuration.
  std::vector<Transform*> of(const TableName& table) const;
  std::uint64_t texts_embedded() const;
  /// Ends requests under way; later ones fail with `cancelled`.
  void cancel();

 private:
  struct Members;
  explicit TransformSet(std::unique_ptr<Members> members);
  std::unique_ptr<Members> members_;
};

}  // namespace freshet
