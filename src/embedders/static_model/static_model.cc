#include "embedders/static_model/static_model.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/try.h"
#include "embedders/static_model/static_table.h"

namespace freshet {
namespace {

constexpr std::string_view kWeightsName = "embedding.weight";
constexpr std::size_t kIdsKept = 1U << 16;
constexpr std::size_t kWorkspacesKept = 64;

// A float is infinite or not a number iff all bits of its exponent are set.
template <typename Cell>
bool all_finite(std::string_view data, Cell exponent) {
  unsigned bad = 0;
  for (std::size_t at = 0; at < data.size(); at += sizeof(Cell)) {
    Cell cell;
    std::memcpy(&cell, data.data() + at, sizeof(cell));
    bad |= static_cast<unsigned>((cell & exponent) == exponent);
  }
  return bad == 0;
}

bool is_finite(const MatrixView& matrix) {
  switch (matrix.type) {
    case Float::f16:
      return all_finite<std::uint16_t>(matrix.data, 0x7C00);
    case Float::bf16:
      return all_finite<std::uint16_t>(matrix.data, 0x7F80);
    case Float::f32:
      return all_finite<std::uint32_t>(matrix.data, 0x7F800000);
  }
  return false;
}

void scale_to_unit_length(std::span<float> vector, std::size_t token_count) {
  const float mean_factor = 1.0F / static_cast<float>(token_count);
  float squares = 0;
  for (float& value : vector) {
    value *= mean_factor;
    squares += value * value;
  }
  if (!(squares > 0)) return;
  const float factor = 1.0F / std::sqrt(squares);
  for (float& value : vector)
    value *= factor;
}

}  // namespace

Result<std::unique_ptr<StaticTable>> StaticTable::open(const ModelFiles& files) {
  FRESHET_TRY(MappedFile weights, MappedFile::open(files.weights));
  auto rows = find_matrix(weights.bytes(), kWeightsName);
  if (!rows.ok()) return std::move(rows).error().with("path", files.weights);
  if (!is_finite(*rows)) {
    return Error{ErrorKind::config, "model's weights hold infinities or NaN"}.with("path",
                                                                                   files.weights);
  }
  FRESHET_TRY(const MappedFile json, MappedFile::open(files.tokenizer));
  auto spec = parse_tokenizer_spec(json.bytes());
  if (!spec.ok()) return std::move(spec).error().with("path", files.tokenizer);
  auto tokenizer = BpeTokenizer::make(*spec);
  if (!tokenizer.ok()) return std::move(tokenizer).error().with("path", files.tokenizer);
  if (tokenizer->id_limit() > rows->row_count) {
    return Error{ErrorKind::config,
                 "tokenizer knows tokens that the model's weights have no row for"}
        .with("tokens", tokenizer->id_limit())
        .with("rows", rows->row_count)
        .with("path", files.weights);
  }
  const MatrixView matrix = *rows;
  return std::unique_ptr<StaticTable>(
      new StaticTable(std::move(weights), matrix, std::move(tokenizer).value()));
}

Status StaticTable::embed(std::span<const std::string_view> texts, std::span<float> vectors) {
  FRESHET_CHECK(vectors.size() == texts.size() * rows_.column_count);
  std::unique_ptr<Workspace> workspace = borrow();
  for (std::size_t at = 0; at < texts.size(); ++at) {
    embed_one(texts[at], *workspace, vectors.subspan(at * rows_.column_count, rows_.column_count));
  }
  give_back(std::move(workspace));
  return ok_status();
}

std::vector<std::uint32_t> StaticTable::tokenize(std::string_view text) {
  std::unique_ptr<Workspace> workspace = borrow();
  std::vector<std::uint32_t> ids;
  tokenizer_.encode(text, workspace->scratch, ids);
  give_back(std::move(workspace));
  return ids;
}

void StaticTable::embed_one(std::string_view text,
                            Workspace& workspace,
                            std::span<float> vector) const {
  workspace.ids.clear();
  tokenizer_.encode(text, workspace.scratch, workspace.ids);
  std::fill(vector.begin(), vector.end(), 0.0F);
  if (workspace.ids.empty()) return;
  sum_(rows_.data.data(), workspace.ids, vector);
  scale_to_unit_length(vector, workspace.ids.size());
}

std::unique_ptr<StaticTable::Workspace> StaticTable::borrow() {
  const std::lock_guard lock{mutex_};
  if (idle_.empty()) return std::make_unique<Workspace>();
  std::unique_ptr<Workspace> workspace = std::move(idle_.back());
  idle_.pop_back();
  return workspace;
}

void StaticTable::give_back(std::unique_ptr<Workspace> workspace) {
  workspace->scratch.trim();
  if (workspace->ids.capacity() > kIdsKept) std::vector<std::uint32_t>{}.swap(workspace->ids);
  const std::lock_guard lock{mutex_};
  if (idle_.size() < kWorkspacesKept) idle_.push_back(std::move(workspace));
}

Result<std::unique_ptr<Embedder>> open_static_model(const StaticModelOptions& options) {
  const std::string model{options.model.empty() ? kDefaultModel : options.model};
  Result<ModelFiles> files = options.directory.empty()
                                 ? find_model(model, ModelEnvironment::current())
                                 : find_model_files(options.directory);
  if (!files.ok()) return std::move(files).error();
  FRESHET_TRY(std::unique_ptr<StaticTable> table, StaticTable::open(*files));
  return std::unique_ptr<Embedder>(std::move(table));
}

}  // namespace freshet
