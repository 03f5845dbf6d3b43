// `embed: {from, into, with}`: adds a column with the vector of a text column.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "freshet/embedder.h"
#include "freshet/transform.h"

namespace freshet {

struct EmbedOptions {
  TableName table;
  std::string from;  ///< Column whose text is embedded; of another type: its text form.
  std::string into;  ///< Name of the new last column, of type vector(n).
};

/// NULL and empty text give NULL; an unchanged TOASTed text leaves the vector unchanged. Vectors
/// are pgvector's text form with the shortest digits that read back as the same floats.
class EmbedTransform final : public Transform {
 public:
  /// `embedder` must outlive the transform.
  EmbedTransform(EmbedOptions options, Embedder& embedder)
      : options_(std::move(options)), embedder_(embedder) {}

  const TableName& table() const override { return options_.table; }

  Result<SchemaPtr> output_schema(const SchemaPtr& input) override;
  /// Embeds all texts of `changes` in one call of the embedder, or a few if there are very many.
  Status apply(const TableSchema& input, std::span<Change> changes, Arena& arena) override;

  /// Texts that got a vector since the start; from any thread.
  std::uint64_t text_count() const noexcept { return text_count_.load(std::memory_order_relaxed); }

 private:
  struct Texts {
    std::vector<std::string_view> texts;
    std::vector<std::size_t> changes;  ///< The place of each text's change.
  };

  Result<Texts> widen_rows(const TableSchema& input,
                           std::size_t from,
                           std::span<Change> changes,
                           Arena& arena) const;
  Status embed_texts(const Texts& texts, std::span<Change> changes, Arena& arena);
  Error explain(Error error,
                const Texts& texts,
                std::size_t first,
                std::span<Change> changes) const;

  const EmbedOptions options_;
  Embedder& embedder_;
  std::atomic<std::uint64_t> text_count_{0};
};

}  // namespace freshet
