#include "ops/check/finding.h"

#include <algorithm>
#include <utility>

namespace freshet::ops {

std::string_view to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
    case Severity::info:
      return "info";
  }
  return "";
}

std::string_view to_string(Area area) noexcept {
  switch (area) {
    case Area::source:
      return "source";
    case Area::tables:
      return "tables";
    case Area::destination:
      return "destination";
    case Area::embedder:
      return "embedder";
    case Area::state:
      return "state";
  }
  return "";
}

void Findings::error(
    Area area, std::string id, std::string what, std::string where, std::string fix) {
  found_.push_back(
      {Severity::error, area, std::move(id), std::move(what), std::move(where), std::move(fix)});
}

void Findings::warning(
    Area area, std::string id, std::string what, std::string where, std::string fix) {
  found_.push_back(
      {Severity::warning, area, std::move(id), std::move(what), std::move(where), std::move(fix)});
}

void Findings::info(
    Area area, std::string id, std::string what, std::string where, std::string fix) {
  found_.push_back(
      {Severity::info, area, std::move(id), std::move(what), std::move(where), std::move(fix)});
}

void Findings::append(const Findings& others) {
  found_.insert(found_.end(), others.found_.begin(), others.found_.end());
}

bool Findings::has_errors() const noexcept {
  return count(Severity::error) > 0;
}

std::size_t Findings::count(Severity severity) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(found_.begin(), found_.end(),
                    [severity](const Finding& finding) { return finding.severity == severity; }));
}

}  // namespace freshet::ops
