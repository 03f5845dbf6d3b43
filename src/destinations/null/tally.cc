#include "destinations/null/tally.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "destinations/null/encoding.h"

namespace freshet {
namespace {

nlohmann::ordered_json to_json(const RowTally& tally) {
  // Hexadecimal, since a JSON number of 64 bits does not survive every reader.
  return {{"rows", tally.rows}, {"bytes", tally.bytes}, {"sum", fmt::format("{:016x}", tally.sum)}};
}

}  // namespace

void ChangeTally::add(const Change& change) {
  const RowView row = change.op == Op::remove ? change.before : change.after;
  const std::uint64_t hash = row_hash(row);
  const std::uint64_t bytes = row_bytes(row);
  switch (change.op) {
    case Op::insert:
      inserted.add(hash, bytes);
      return;
    case Op::update:
      updated.add(hash, bytes);
      return;
    case Op::upsert:
      upserted.add(hash, bytes);
      return;
    case Op::remove:
      deleted.add(hash, bytes);
      return;
  }
}

void ChangeTally::add(const ChangeTally& other) {
  inserted.add(other.inserted);
  updated.add(other.updated);
  upserted.add(other.upserted);
  deleted.add(other.deleted);
  truncated += other.truncated;
}

std::string report_json(const Tallies& tables, Position position) {
  nlohmann::ordered_json report;
  report["position"] = to_string(position.end);
  report["tables"] = nlohmann::ordered_json::object();
  for (const auto& [name, tally] : tables) {
    RowTally copied;
    for (const auto& [index, range] : tally.copied)
      copied.add(range);
    report["tables"][to_string(name)] = {{"copied", to_json(copied)},
                                         {"inserted", to_json(tally.streamed.inserted)},
                                         {"updated", to_json(tally.streamed.updated)},
                                         {"upserted", to_json(tally.streamed.upserted)},
                                         {"deleted", to_json(tally.streamed.deleted)},
                                         {"truncated", tally.streamed.truncated}};
  }
  return report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace freshet
