// What is found in quarantine, in words and as JSON.
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/quarantine/quarantine.h"

namespace freshet::ops {
namespace {

using Json = nlohmann::ordered_json;
using postgres::QuarantineEntry;
using postgres::QuarantineSummary;
using postgres::ReplayFailure;

std::string reason(std::string_view message,
                   std::string_view sqlstate,
                   std::string_view constraint) {
  std::string text{message};
  if (!sqlstate.empty()) text += fmt::format(" (SQLSTATE {})", sqlstate);
  if (!constraint.empty() && message.find(constraint) == std::string_view::npos)
    text += fmt::format(" by {}", constraint);
  return text;
}

Json or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json parsed(const std::string& json) {
  return json.empty() ? Json(nullptr) : Json::parse(json, nullptr, false);
}

Json place_json(const std::string& destination, const TableName& table) {
  return {{"destination", destination}, {"schema", table.schema}, {"table", table.table}};
}

Json entry_json(const std::string& destination, const QuarantineEntry& entry) {
  Json json = place_json(destination, entry.table);
  json["id"] = entry.id;
  json["op"] = entry.op;
  json["before"] = parsed(entry.before);
  json["after"] = parsed(entry.after);
  json["unchanged"] = parsed(entry.unchanged);
  json["lsn"] = to_string(entry.lsn);
  json["commit_lsn"] = to_string(entry.commit_lsn);
  json["xid"] = parsed(entry.xid);
  json["committed_at"] = or_null(entry.committed_at);
  json["sqlstate"] = or_null(entry.sqlstate);
  json["constraint"] = or_null(entry.constraint);
  json["message"] = entry.message;
  json["quarantined_at"] = entry.quarantined_at;
  return json;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

void add_line(std::vector<std::string>& lines, std::string_view what, const std::string& json) {
  if (!json.empty() && json != "[]") lines.push_back(fmt::format("  {}: {}", what, json));
}

}  // namespace

std::vector<std::string> to_lines(const QuarantineList& list) {
  std::vector<std::string> lines;
  for (const auto& [destination, summaries] : list) {
    for (const QuarantineSummary& summary : summaries) {
      lines.push_back(fmt::format("{} → {}: {} since {}: {}", to_string(summary.table), destination,
                                  summary.count, to_string(summary.oldest),
                                  reason(summary.message, summary.sqlstate, summary.constraint)));
    }
  }
  return lines;
}

std::vector<std::string> to_lines(const QuarantineEntries& entries) {
  std::vector<std::string> lines;
  for (const auto& [destination, found] : entries) {
    for (const QuarantineEntry& entry : found) {
      lines.push_back(fmt::format("{}: {} {} → {}, commit LSN {}, {}: {}", entry.id, entry.op,
                                  to_string(entry.table), destination, to_string(entry.commit_lsn),
                                  entry.committed_at.empty() ? "time unknown" : entry.committed_at,
                                  reason(entry.message, entry.sqlstate, entry.constraint)));
      add_line(lines, "before", entry.before);
      add_line(lines, "after", entry.after);
      add_line(lines, "unchanged", entry.unchanged);
    }
  }
  return lines;
}

std::vector<std::string> to_lines(const ReplayOutcomes& outcomes) {
  std::vector<std::string> lines;
  for (const auto& [destination, outcome] : outcomes) {
    lines.push_back(
        fmt::format("{}: {} applied, {} left", destination, outcome.applied, outcome.left));
    for (const ReplayFailure& failure : outcome.failures) {
      lines.push_back(fmt::format("  {} of {}: {}", failure.id, to_string(failure.table),
                                  reason(failure.message, failure.sqlstate, failure.constraint)));
    }
  }
  return lines;
}

std::string to_json(const QuarantineList& list) {
  Json json = Json::array();
  for (const auto& [destination, summaries] : list) {
    for (const QuarantineSummary& summary : summaries) {
      Json item = place_json(destination, summary.table);
      item["count"] = summary.count;
      item["oldest_commit_lsn"] = to_string(summary.oldest);
      item["sqlstate"] = or_null(summary.sqlstate);
      item["constraint"] = or_null(summary.constraint);
      item["message"] = summary.message;
      json.push_back(std::move(item));
    }
  }
  return dump(json);
}

std::string to_json(const QuarantineEntries& entries) {
  Json json = Json::array();
  for (const auto& [destination, found] : entries) {
    for (const QuarantineEntry& entry : found)
      json.push_back(entry_json(destination, entry));
  }
  return dump(json);
}

std::string to_json(const ReplayOutcomes& outcomes) {
  Json json = Json::array();
  for (const auto& [destination, outcome] : outcomes) {
    Json failures = Json::array();
    for (const ReplayFailure& failure : outcome.failures) {
      failures.push_back({{"id", failure.id},
                          {"schema", failure.table.schema},
                          {"table", failure.table.table},
                          {"sqlstate", or_null(failure.sqlstate)},
                          {"constraint", or_null(failure.constraint)},
                          {"message", failure.message}});
    }
    json.push_back({{"destination", destination},
                    {"applied", outcome.applied},
                    {"left", outcome.left},
                    {"failures", std::move(failures)}});
  }
  return dump(json);
}

}  // namespace freshet::ops
