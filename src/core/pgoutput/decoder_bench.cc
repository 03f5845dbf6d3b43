// Rows per second through decoder and assembler, for narrow rows (three short values).

#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>

#include "core/assembler.h"
#include "core/pgoutput/decoder.h"
#include "core/pgoutput/testing/message_builder.h"

namespace freshet {
namespace {

namespace make = pgoutput::testing;

constexpr std::uint32_t kTable = 16400;
constexpr int kRowsOfLargeTransaction = 100'000;

std::string narrow_insert() {
  return make::insert(kTable, {"123456", "hello", "2026-01-01"});
}

std::string narrow_relation() {
  return make::relation(kTable, "calls", {{"id", 20, true}, {"v", 25}, {"d", 1082}});
}

void decode_insert(benchmark::State& state) {
  pgoutput::Decoder decoder;
  const std::string insert = narrow_insert();
  for (auto _ : state) {
    auto message = decoder.decode(insert, pgoutput::Framing::plain);
    benchmark::DoNotOptimize(message);
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(decode_insert);

/// Pushes transactions of `state.range(0)` rows each; reads them as well if `state.range(1)` is
/// set.
void assemble(benchmark::State& state) {
  MemorySpillStore spill;
  Assembler assembler{{.memory_bytes_max = std::size_t{1} << 30}, spill};
  const std::string begin = make::begin(1, 7);
  const std::string relation = narrow_relation();
  const std::string insert = narrow_insert();
  const std::string commit = make::commit(1, 2);
  Piece piece;
  for (auto _ : state) {
    benchmark::DoNotOptimize(assembler.push(Lsn{1}, begin));
    benchmark::DoNotOptimize(assembler.push(Lsn{1}, relation));
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      benchmark::DoNotOptimize(assembler.push(Lsn{1}, insert));
    }
    const TransactionPtr transaction = assembler.push(Lsn{1}, commit).value();
    if (state.range(1) == 0) continue;
    TransactionReader reader = transaction->read();
    while (reader.next(piece).value())
      benchmark::DoNotOptimize(piece.items().data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK(assemble)
    ->ArgNames({"rows", "read"})
    ->Args({1, 0})
    ->Args({1, 1})
    ->Args({100, 1})
    ->Args({kRowsOfLargeTransaction, 0})
    ->Args({kRowsOfLargeTransaction, 1});

}  // namespace
}  // namespace freshet
