// Rows per second in and out of COPY's text format, for narrow rows (six short values).

#include <array>
#include <string>

#include <benchmark/benchmark.h>

#include "types/copy_text.h"

namespace freshet {
namespace {

constexpr std::string_view kPlainRow =
    "123456\thello\t2026-01-01 12:34:56+00\tt\t3.14159\tsome words of text\n";
constexpr std::string_view kEscapedRow =
    "123456\t\\N\t2026-01-01 12:34:56+00\tt\t3.14159\tsome\\twords\\nof text\n";

void split_row(benchmark::State& state, std::string_view row) {
  Arena arena;
  std::array<Value, 6> fields;
  for (auto _ : state) {
    arena.clear();
    benchmark::DoNotOptimize(split_copy_row(row, fields, arena).ok());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(row.size()));
}

BENCHMARK_CAPTURE(split_row, plain, kPlainRow);
BENCHMARK_CAPTURE(split_row, escaped, kEscapedRow);

void append_row(benchmark::State& state, std::string_view row) {
  Arena arena;
  std::array<Value, 6> fields;
  if (!split_copy_row(row, fields, arena).ok()) state.SkipWithError("the row is malformed");
  std::string out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(append_copy_row(fields, out).ok());
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(row.size()));
}

BENCHMARK_CAPTURE(append_row, plain, kPlainRow);
BENCHMARK_CAPTURE(append_row, escaped, kEscapedRow);

}  // namespace
}  // namespace freshet
