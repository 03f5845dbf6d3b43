#include "cli/demo/report_page.h"

#include <array>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/try.h"

namespace freshet {
namespace {

constexpr double kLagBarMs = 2000;
constexpr std::array<std::string_view, 3> kQuestions{
    "my wifi is not working",
    "I could not sleep last night",
    "looking for a job after graduation",
};
constexpr int kHits = 3;
constexpr std::size_t kHitCharacters = 90;

std::string vector_text(std::span<const float> vector) {
  std::string text = "[";
  for (const float value : vector)
    text += fmt::format("{}{}", text.size() > 1 ? "," : "", value);
  return text + "]";
}

std::string one_line(std::string_view text) {
  std::string line(text.substr(0, kHitCharacters));
  for (char& c : line) {
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';
  }
  // Cut between characters, not within one.
  while (text.size() > kHitCharacters && !line.empty() &&
         (static_cast<unsigned char>(line.back()) & 0xC0U) == 0x80U) {
    line.pop_back();
  }
  return text.size() > kHitCharacters ? line + "…" : line;
}

}  // namespace

Result<EngineReport> read_engine_report(const std::string& path) {
  std::ifstream file(path);
  try {
    const nlohmann::json report = nlohmann::json::parse(file);
    EngineReport found;
    for (const auto& table : report.at("tables"))
      found.rows_copied += table.at("rows_copied").get<std::uint64_t>();
    for (const auto& destination : report.at("destinations")) {
      found.changes_applied += destination.at("changes_applied").get<std::uint64_t>();
    }
    found.texts_embedded = report.at("texts_embedded").get<std::uint64_t>();
    return found;
  } catch (const nlohmann::json::exception& e) {
    return Error{ErrorKind::internal, "freshet left no report"}
        .with("path", path)
        .with("reason", e.what());
  }
}

Result<std::vector<SearchResult>> search(pg::Connection& destination, Embedder& embedder) {
  FRESHET_TRY(const std::size_t width, embedder.dimensions());
  FRESHET_TRY(destination.execute("SET hnsw.ef_search = 100; SET search_path = public"));
  std::vector<SearchResult> results;
  for (const std::string_view question : kQuestions) {
    std::vector<float> vector(width);
    FRESHET_TRY(embedder.embed(std::array{question}, vector));
    const std::string text = vector_text(vector);
    const std::array<std::optional<std::string_view>, 1> parameters{text};
    FRESHET_TRY(
        const pg::Rows rows,
        destination.query(
            fmt::format("SELECT content, 1 - (embedding <=> $1::vector) FROM public.messages "
                        "ORDER BY embedding <=> $1::vector LIMIT {}",
                        kHits),
            parameters));
    SearchResult result{.question = std::string(question), .hits = {}};
    for (int row = 0; row < rows.rows(); ++row) {
      result.hits.emplace_back(std::strtod(rows.string(row, 1).c_str(), nullptr),
                               one_line(rows.text(row, 0)));
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::string render(const DemoReport& report, const DemoOptions& options) {
  std::string out = "\nFreshet demo\n";
  const auto line = [&](std::string_view name, const std::string& value) {
    out += fmt::format("  {:<18}{}\n", name, value);
  };
  const double copy_seconds = std::max(report.copy_seconds, 0.001);
  line("copied", fmt::format("{} rows in {:.1f} s ({:.0f} rows/s, embeddings included)",
                             report.engine.rows_copied, report.copy_seconds,
                             static_cast<double>(report.engine.rows_copied) / copy_seconds));
  line("vector index", fmt::format("HNSW m=8 ef_construction=32, stood {:.1f} s after the start",
                                   report.ready_seconds));
  line("measured",
       fmt::format("{:.1f} s at {:.0f} row changes/s (asked for {}): {} changes in {} transactions",
                   report.measured_seconds,
                   static_cast<double>(report.changes) / std::max(report.measured_seconds, 0.001),
                   options.rate, report.changes, report.lag.transactions));
  line("lag", fmt::format("p50 {:.1f} ms, p99 {:.1f} ms, max {:.1f} ms (bar: 2000 ms: {})",
                          report.lag.p50_ms, report.lag.p99_ms, report.lag.max_ms,
                          report.lag.max_ms < kLagBarMs ? "met" : "MISSED"));
  line("", "from the source's commit timestamp to a row seen by a poller at the destination");
  line("caught up", fmt::format("{:.0f} ms after the last commit", report.catch_up_seconds * 1000));
  line("applied", fmt::format("{} changes since the start", report.engine.changes_applied));
  line("embedded",
       fmt::format(
           "{} texts ({:.0f} texts/s during the copy)", report.engine.texts_embedded,
           static_cast<double>(std::min(report.engine.texts_embedded, report.engine.rows_copied)) /
               copy_seconds));
  line("memory", fmt::format("{:.0f} MiB peak, the mapped model included",
                             static_cast<double>(report.peak_kib) / 1024));
  for (const TableVerdict& table : report.verdict.tables) {
    line(table.table,
         fmt::format("{} rows; {} missing, {} extra at the destination (EXCEPT ALL both ways)",
                     table.rows, table.missing, table.extra));
  }
  line("vectors",
       fmt::format("{} computed again from the source's text: {} differ; {} texts lack one",
                   report.verdict.vectors_checked, report.verdict.vectors_wrong,
                   report.verdict.texts_without_vector));
  line("verdict", report.verdict.is_equal() ? "equal" : "different");
  for (const SearchResult& result : report.searches) {
    out += fmt::format("\n  nearest to \"{}\":\n", result.question);
    for (const auto& [similarity, text] : result.hits)
      out += fmt::format("    {:.2f}  {}\n", similarity, text);
  }
  return out;
}

}  // namespace freshet
