#include "destinations/registry.h"

#include <array>
#include <string_view>

#include "destinations/jsonl/writer.h"
#include "destinations/null/writer.h"
#include "destinations/postgres/config.h"

namespace freshet {
namespace {

using Maker = Result<std::unique_ptr<Destination>> (*)(const DestinationConfig&);

struct Scheme {
  std::string_view prefix;
  Maker make;
};

constexpr std::array kSchemes{
    Scheme{"postgresql://", make_postgres_destination},
    Scheme{"postgres://", make_postgres_destination},
    Scheme{"jsonl:", make_jsonl_destination},
    Scheme{"null:", make_null_destination},
};

}  // namespace

std::string known_destination_schemes() {
  std::string list;
  for (const Scheme& scheme : kSchemes) {
    if (!list.empty()) list += ", ";
    list += scheme.prefix;
  }
  return list;
}

Result<std::unique_ptr<Destination>> make_destination(const DestinationConfig& config) {
  for (const Scheme& scheme : kSchemes) {
    if (config.url.starts_with(scheme.prefix)) return scheme.make(config);
  }
  // Not the URL itself: what is unknown may still hold a password.
  return Error{ErrorKind::config, "the destination's URL has an unknown scheme"}
      .with("destination", config.name)
      .with("known", known_destination_schemes())
      .fix("start the URL with one of: " + known_destination_schemes());
}

}  // namespace freshet
