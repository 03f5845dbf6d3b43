// The static model itself: tokenizer and table of rows. See static_model.h for what users need.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "embedders/static_model/bpe_tokenizer.h"
#include "embedders/static_model/mapped_file.h"
#include "embedders/static_model/model_files.h"
#include "embedders/static_model/row_sum.h"
#include "embedders/static_model/safetensors.h"
#include "freshet/embedder.h"

namespace freshet {

class StaticTable final : public Embedder {
 public:
  static Result<std::unique_ptr<StaticTable>> open(const ModelFiles& files);

  Result<std::size_t> dimensions() override { return rows_.column_count; }

  Status embed(std::span<const std::string_view> texts, std::span<float> vectors) override;
  /// The token ids of one text.
  std::vector<std::uint32_t> tokenize(std::string_view text);

 private:
  /// What one call needs. Kept between calls, so that the word cache stays warm.
  struct Workspace {
    BpeTokenizer::Scratch scratch;
    std::vector<std::uint32_t> ids;
  };

  StaticTable(MappedFile weights, MatrixView rows, BpeTokenizer tokenizer)
      : weights_(std::move(weights)),
        rows_(rows),
        tokenizer_(std::move(tokenizer)),
        sum_(fastest_row_sum(rows.type)) {}

  void embed_one(std::string_view text, Workspace& workspace, std::span<float> vector) const;
  std::unique_ptr<Workspace> borrow();
  void give_back(std::unique_ptr<Workspace> workspace);

  const MappedFile weights_;
  const MatrixView rows_;
  const BpeTokenizer tokenizer_;
  const RowSum sum_;
  std::mutex mutex_;  ///< Guards idle_.
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace freshet
