// Texts per second of the static model on real utterances. Needs the model (FRESHET_MODEL_DIR or
// FRESHET_DEMO_MODEL) and the conversations (FRESHET_DEMO_DATA); says so and skips without them.
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "embedders/caching_embedder.h"
#include "embedders/static_model/static_table.h"

namespace freshet {
namespace {

constexpr std::size_t kTextCount = 100'000;
constexpr std::size_t kBatch = 1'000;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> load_utterances() {
  std::vector<std::string> texts;
  std::ifstream file{environment("FRESHET_DEMO_DATA")};
  if (!file) return texts;
  const auto conversations = nlohmann::json::parse(file, nullptr, false);
  for (const auto& conversation : conversations) {
    for (const auto& message : conversation["messages"]) {
      for (const auto& utterance : message) {
        texts.push_back(utterance["text"].get<std::string>());
        if (texts.size() == kTextCount) return texts;
      }
    }
  }
  return texts;
}

struct Fixture {
  std::unique_ptr<StaticTable> table;
  std::vector<std::string> texts;
  std::vector<std::string_view> views;
};

Fixture load() {
  Fixture fixture;
  std::string folder = environment("FRESHET_MODEL_DIR");
  if (folder.empty()) folder = environment("FRESHET_DEMO_MODEL");
  const auto files = find_model_files(folder);
  if (!files.ok()) return fixture;
  auto table = StaticTable::open(*files);
  if (table.ok()) fixture.table = std::move(table).value();
  fixture.texts = load_utterances();
  fixture.views.assign(fixture.texts.begin(), fixture.texts.end());
  return fixture;
}

const Fixture& loaded() {
  static const Fixture kFixture = load();
  return kFixture;
}

bool is_ready(benchmark::State& state) {
  if (loaded().table != nullptr && !loaded().texts.empty()) return true;
  state.SkipWithError("set FRESHET_MODEL_DIR and FRESHET_DEMO_DATA");
  return false;
}

void run(benchmark::State& state, Embedder& embedder) {
  const std::size_t width = embedder.dimensions().value();
  std::vector<float> vectors(kBatch * width);
  const std::span<const std::string_view> all{loaded().views};
  std::size_t at = 0;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    if (at + kBatch > all.size()) at = 0;
    const auto batch = all.subspan(at, kBatch);
    at += kBatch;
    if (!embedder.embed(batch, vectors).ok()) state.SkipWithError("embed failed");
    for (const auto text : batch)
      bytes += static_cast<std::int64_t>(text.size());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
  state.SetBytesProcessed(bytes);
}

void BM_StaticModelUtterances(benchmark::State& state) {
  if (is_ready(state)) run(state, *loaded().table);
}

BENCHMARK(BM_StaticModelUtterances)->Unit(benchmark::kMicrosecond);

void BM_StaticModelTokenize(benchmark::State& state) {
  if (!is_ready(state)) return;
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(loaded().table->tokenize(loaded().views[at]));
    at = at + 1 == loaded().views.size() ? 0 : at + 1;
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(BM_StaticModelTokenize);

void BM_StaticModelUtterancesCached(benchmark::State& state) {
  if (!is_ready(state)) return;
  CachingEmbedder cache{*loaded().table, {.bytes_max = std::size_t{256} << 20}};
  run(state, cache);
}

BENCHMARK(BM_StaticModelUtterancesCached)->Unit(benchmark::kMicrosecond);

// One text without a space: time must grow in proportion to its length.
void BM_StaticModelLongText(benchmark::State& state) {
  if (!is_ready(state)) return;
  std::string text;
  while (text.size() < static_cast<std::size_t>(state.range(0)))
    text += "withoutaspace";
  for (auto _ : state)
    benchmark::DoNotOptimize(loaded().table->tokenize(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

BENCHMARK(BM_StaticModelLongText)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);

}  // namespace
}  // namespace freshet
