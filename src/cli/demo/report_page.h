// What the demo found, and how it is printed.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/demo/demo.h"
#include "cli/demo/lag_poller.h"
#include "cli/demo/verdict.h"
#include "freshet/embedder.h"
#include "freshet/result.h"
#include "pg/connection.h"

namespace freshet {

/// From the file that `freshet run --report` left.
struct EngineReport {
  std::uint64_t rows_copied = 0;
  std::uint64_t changes_applied = 0;
  std::uint64_t texts_embedded = 0;
};

struct SearchResult {
  std::string question;
  std::vector<std::pair<double, std::string>> hits;  ///< Cosine similarity and text, best first.
};

struct DemoReport {
  std::uint64_t history_rows = 0;
  double copy_seconds = 0;   ///< From freshet's start until all tables stream.
  double ready_seconds = 0;  ///< And until the vector index stands.
  double measured_seconds = 0;
  double catch_up_seconds = 0;  ///< From the last commit at the source until all was visible.
  std::uint64_t changes = 0;    ///< Row changes at the source while measuring.
  std::uint64_t peak_kib = 0;
  LagFigures lag;
  EngineReport engine;
  Verdict verdict;
  std::vector<SearchResult> searches;
};

Result<EngineReport> read_engine_report(const std::string& path);
/// Asks three questions of the vectors at the destination.
Result<std::vector<SearchResult>> search(pg::Connection& destination, Embedder& embedder);
std::string render(const DemoReport& report, const DemoOptions& options);

}  // namespace freshet
