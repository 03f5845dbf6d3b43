// What is generated from the key definitions.
#pragma once

#include <string>
#include <string_view>

namespace freshet {

/// docs/config.md, whole. A unit test compares the file with it; `freshet schema --markdown` prints
/// it.
std::string make_reference_page();
/// A complete pipeline.yaml with a comment for each key. It parses without a problem once its
/// variables are set.
std::string_view example_config();
/// A JSON Schema (draft 2020-12) for editors; `freshet schema` prints it.
std::string make_json_schema();

}  // namespace freshet
