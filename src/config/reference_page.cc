#include "config/reference_page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/key.h"

namespace freshet {
namespace {

constexpr std::string_view kHead =
    R"(<!-- Generated from src/config/key.cc by `freshet schema --markdown`: edit that instead. -->
# Configuration

A pipeline is described by one YAML file. `freshet check FILE` looks at it and at the servers it
names; `freshet schema` prints a JSON Schema for editors.

- `${NAME}` in a value is replaced by the environment variable, which must be set; `$${` stands for
  `${`. What a variable holds is not expanded again.
- Secrets belong in the environment, in PGPASSFILE or in a libpq service file. Freshet never prints
  one, and warns about those that stand in the file in clear text.
- Everything wrong with a file is reported at once, with line and column; the exit code is 2.
- Files are UTF-8, at most 10 MiB, with one document. Keys may not come twice.

## Example

```yaml
)";

constexpr std::string_view kExample =
    R"(# Name of the pipeline; slot and publication are called freshet_support_ai.
pipeline: support_ai
source:
  # libpq URI; the password comes from PGPASSFILE, a service file or ${ENV}.
  url: postgresql://freshet@db.internal/app
  # slot: freshet_support_ai            # created when absent
  # publications: [app_changes]         # must exist; without, freshet_support_ai is created
  publish_via_partition_root: true      # partitions appear as their root table
  two_phase: false                      # decode prepared transactions at PREPARE
  streaming: true                       # receive large transactions while they run
  origin: any                           # none: leave out what arrived by replication itself
  memory: 64MiB                         # for open transactions; the rest goes to disk
  copy:
    mode: auto                          # auto, chunked, snapshot or none
    connections: 4
  tables:
    - public.calls                      # all columns, all rows
    - name: public.messages
      columns: [id, call_id, tenant_id, content, sent_at]
      where: "tenant_id = 42"
    - public.agent_runs
state: sqlite:state/support_ai.db       # or postgresql://…; default: a file under XDG_STATE_HOME
mask_key: ${FRESHET_MASK_KEY}           # key of `hash` masks
embedders:
  local:                                # runs on this machine
    type: static
    model: wordllama-256
  small:                                # any OpenAI-compatible server
    type: http
    url: https://api.openai.com/v1/embeddings
    model: text-embedding-3-small
    api_key: ${OPENAI_API_KEY}
    batch_texts_max: 64
    requests_in_flight: 4
    timeout: 30s
transforms:
  - table: public.messages
    embed: {from: content, into: embedding, with: local}
  - table: public.calls
    mask: {phone: hash, customer_name: redact}
destinations:
  vectors:
    url: postgresql://freshet@vectors.internal/app
    vector_index: {m: 16, ef_construction: 64}    # HNSW, built after the copy; or none
  log:
    url: jsonl:changes.jsonl
)";

std::string type_words(const KeyDefinition& key) {
  switch (key.type) {
    case KeyType::mapping:
      return "mapping";
    case KeyType::mapping_or_none:
      return "mapping, or `none`";
    case KeyType::named_mappings:
      return "mapping of names to mappings";
    case KeyType::list_of_mappings:
      return "list of mappings";
    case KeyType::list_of_tables:
      return "list of names or mappings";
    case KeyType::text:
      return "text";
    case KeyType::url:
      return "URL";
    case KeyType::secret:
      return "secret";
    case KeyType::table:
      return "table name";
    case KeyType::list_of_text:
      return "list of text";
    case KeyType::boolean:
      return "true or false";
    case KeyType::number:
      return fmt::format("number, {} to {}", key.least, key.most);
    case KeyType::size:
      return fmt::format("bytes (KiB, MiB, GiB), {} MiB to {} GiB", key.least >> 20,
                         key.most >> 30);
    case KeyType::duration:
      return fmt::format("time (ms, s, min), {} ms to {} s", key.least, key.most / 1000);
    case KeyType::choice:
      return fmt::format("`{}`", fmt::join(key.choices, "`, `"));
    case KeyType::column_choices:
      return fmt::format("mapping of columns to `{}`", fmt::join(key.choices, "`, `"));
  }
  return {};
}

std::string default_words(const KeyDefinition& key) {
  if (key.is_required) return "required";
  if (key.default_text.empty()) return "";
  // Phrases such as "all rows" are no values to be written.
  const bool is_phrase = key.default_text.find(' ') != std::string_view::npos;
  return is_phrase ? std::string{key.default_text} : fmt::format("`{}`", key.default_text);
}

}  // namespace

std::string_view example_config() {
  return kExample;
}

std::string make_reference_page() {
  std::string page{kHead};
  page += kExample;
  page += "```\n\n## Keys\n\n`[]` stands for an item of a list, `*` for a name of your choice.\n\n";
  page += "| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const KeyDefinition& key : key_definitions()) {
    page += fmt::format("| `{}` | {} | {} | {} |\n", key.path, type_words(key), default_words(key),
                        key.help);
  }
  return page;
}

}  // namespace freshet
