#include "config/key.h"

#include <array>

namespace freshet {
namespace {

constexpr std::array<std::string_view, 2> kOrigins{"any", "none"};
constexpr std::array<std::string_view, 4> kCopyModes{"auto", "chunked", "snapshot", "none"};
constexpr std::array<std::string_view, 2> kGapAnswers{"stop", "resync"};
constexpr std::array<std::string_view, 3> kSchemaChanges{"evolve", "ignore", "halt"};
constexpr std::array<std::string_view, 5> kConflictAnswers{"error", "source_wins", "newest_wins",
                                                           "skip", "quarantine"};
constexpr std::array<std::string_view, 2> kDestinationSchemas{"tables", "full"};
constexpr std::array<std::string_view, 2> kEmbedderTypes{"static", "http"};
constexpr std::array<std::string_view, 4> kMaskMethods{"hash", "redact", "null", "last4"};

constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

using Target = ConfigTarget;
using Value = KeyValue;

std::uint32_t narrow(std::uint64_t number) {
  return static_cast<std::uint32_t>(number);
}

constexpr KeyDefinition kDefinitions[] = {
    {.path = "pipeline",
     .type = KeyType::text,
     .help = "Name of the pipeline: 1 to 40 of a-z, 0-9 and _. Slot and publication are named "
             "`freshet_<pipeline>` unless given.",
     .is_required = true,
     .store = [](Target& to, const Value& value) { to.config.pipeline = value.text; }},
    {.path = "source",
     .type = KeyType::mapping,
     .help = "The PostgreSQL database that changes are read from.",
     .is_required = true},
    {.path = "source.url",
     .type = KeyType::url,
     .help =
         "libpq URI or connection string. Keep the password out of it: use PGPASSFILE, a service "
         "file or `${ENV}`.",
     .is_required = true,
     .store = [](Target& to, const Value& value) { to.config.source.url = value.text; }},
    {.path = "source.slot",
     .type = KeyType::text,
     .help = "Replication slot: 1 to 63 of a-z, 0-9 and _; created when absent.",
     .default_text = "freshet_<pipeline>",
     .store = [](Target& to, const Value& value) { to.config.source.slot = value.text; }},
    {.path = "source.adopt_slot",
     .type = KeyType::boolean,
     .help = "The first start goes on from a slot that was made by hand, before a dump that the "
             "destinations hold, say. See [seeding.md](seeding.md).",
     .default_text = "false",
     .store = [](Target& to, const Value& value) { to.config.source.adopts_slot = value.flag; }},
    {.path = "source.start_lsn",
     .type = KeyType::text,
     .help = "With `adopt_slot`: transactions that end at or before this LSN are left out.",
     .default_text = "the slot's confirmed_flush_lsn",
     .store = [](Target& to,
                 const Value& value) { to.config.source.start_lsn = parse_lsn(value.text); }},
    {.path = "source.publications",
     .type = KeyType::list_of_text,
     .help = "Publications to read; those named must exist. Without any, `freshet_<pipeline>` is "
             "created and kept in step with `tables`.",
     .default_text = "[freshet_<pipeline>]",
     .store = [](Target& to, const Value& value) { to.config.source.publications = value.texts; }},
    {.path = "source.publish_via_partition_root",
     .type = KeyType::boolean,
     .help = "Changes of partitions appear as changes of the partitioned table, in the publication "
             "that Freshet creates. If not, `tables` names the partitions.",
     .default_text = "true",
     .store = [](Target& to,
                 const Value& value) { to.config.source.publishes_via_root = value.flag; }},
    {.path = "source.two_phase",
     .type = KeyType::boolean,
     .help = "Decode prepared transactions at PREPARE rather than at COMMIT PREPARED.",
     .default_text = "false",
     .store = [](Target& to, const Value& value) { to.config.source.is_two_phase = value.flag; }},
    {.path = "source.failover",
     .type = KeyType::boolean,
     .help =
         "The slot is made with FAILOVER, so that standbys which synchronise slots have it and the "
         "pipeline goes on from one that is promoted (PostgreSQL 17 and later).",
     .default_text = "false",
     .store = [](Target& to, const Value& value) { to.config.source.is_failover = value.flag; }},
    {.path = "source.streaming",
     .type = KeyType::boolean,
     .help = "Receive large transactions while they run, rather than all at once at their commit.",
     .default_text = "true",
     .store = [](Target& to, const Value& value) { to.config.source.is_streaming = value.flag; }},
    {.path = "source.binary",
     .type = KeyType::boolean,
     .help = "Receive values in their types' binary forms: faster, and the only way for a bytea of "
             "more than 500 MB. For PostgreSQL destinations.",
     .default_text = "false",
     .store = [](Target& to, const Value& value) { to.config.source.is_binary = value.flag; }},
    {.path = "source.origin",
     .type = KeyType::choice,
     .help = "`none` leaves out what itself arrived by replication.",
     .default_text = "any",
     .choices = kOrigins,
     .store = [](Target& to,
                 const Value& value) { to.config.source.origin = kOrigins[value.number]; }},
    {.path = "source.on_gap",
     .type = KeyType::choice,
     .help =
         "What to do where changes of a table were missed or cannot be streamed: its publication "
         "was altered, a partition came or went with its rows, it was unlogged for a while; or "
         "where the slot was lost, dropped or moved, and changes of all tables with it. `stop` "
         "ends with exit code 4; `resync` copies the tables concerned again, after making a lost "
         "slot anew.",
     .default_text = "stop",
     .choices = kGapAnswers,
     .store =
         [](Target& to, const Value& value) {
           to.config.source.on_gap = static_cast<OnGap>(value.number);
         }},
    {.path = "source.schema_changes",
     .type = KeyType::choice,
     .help =
         "What to do where columns of a table are added, dropped, renamed or given another type "
         "at the source. `evolve`: the destinations follow; `ignore`: their tables stay as they "
         "are, and new columns are left out; `halt`: the table stops before the first row of "
         "its new definition, and the others go on. See [schema-changes.md](schema-changes.md).",
     .default_text = "evolve",
     .choices = kSchemaChanges,
     .store =
         [](Target& to, const Value& value) {
           to.config.source.schema_changes = static_cast<SchemaChanges>(value.number);
         }},
    {.path = "source.copy", .type = KeyType::mapping, .help = "The initial copy."},
    {.path = "source.copy.mode",
     .type = KeyType::choice,
     .help = "`chunked` reads ranges of the primary key, each under a snapshot of its own, and is "
             "resumed after a crash; `snapshot` reads a table under one snapshot; `auto` takes "
             "chunks for large tables whose primary key allows it (integers, uuid, date, "
             "timestamps); `none` starts "
             "at the slot without copying.",
     .default_text = "auto",
     .choices = kCopyModes,
     .store =
         [](Target& to, const Value& value) {
           to.config.source.copy.mode = static_cast<CopyMode>(value.number);
         }},
    {.path = "source.copy.connections",
     .type = KeyType::number,
     .help = "Connections that copy in parallel; fewer where the source has room for fewer.",
     .default_text = "4",
     .least = 1,
     .most = 64,
     .store = [](Target& to,
                 const Value& value) { to.config.source.copy.connections = narrow(value.number); }},
    {.path = "source.memory",
     .type = KeyType::size,
     .help = "Memory for transactions that are still open; what does not fit goes to disk.",
     .default_text = "64MiB",
     .least = kMebibyte,
     .most = kMebibyte << 16,
     .store =
         [](Target& to, const Value& value) {
           to.config.source.memory_bytes_max = static_cast<std::size_t>(value.number);
         }},
    {.path = "source.tables",
     .type = KeyType::list_of_tables,
     .help =
         "Tables to replicate, each by name or as a mapping. Without it, all tables of the named "
         "publications.",
     .store = [](Target& to, const Value&) { to.config.source.tables.emplace_back(); }},
    {.path = "source.tables[].name",
     .type = KeyType::table,
     .help = "`schema.table`; without a schema, `public`. Quote as in SQL: `public.\"Odd name\"`.",
     .is_required = true,
     .store = [](Target& to,
                 const Value& value) { to.config.source.tables.back().name = value.table; }},
    {.path = "source.tables[].columns",
     .type = KeyType::list_of_text,
     .help = "Columns to replicate; they must include the replica identity.",
     .default_text = "all columns",
     .store = [](Target& to,
                 const Value& value) { to.config.source.tables.back().columns = value.texts; }},
    {.path = "source.tables[].where",
     .type = KeyType::text,
     .help = "SQL condition over the table's columns. It goes into the publication where no write "
             "can fail by it, else Freshet filters.",
     .default_text = "all rows",
     .store = [](Target& to,
                 const Value& value) { to.config.source.tables.back().where = value.text; }},
    {.path = "source.tables[].copy",
     .type = KeyType::choice,
     .help = "The initial copy of this table; see `source.copy.mode`. `freshet check` tells how "
             "each table is copied, and why.",
     .default_text = "as source.copy.mode says",
     .choices = kCopyModes,
     .store =
         [](Target& to, const Value& value) {
           to.config.source.tables.back().copy = static_cast<CopyMode>(value.number);
         }},
    {.path = "source.tables[].copy_where",
     .type = KeyType::text,
     .help = "SQL condition over the table's columns: the copy brings only rows that meet it. What "
             "is streamed is not limited by it. See [tables.md](tables.md#a-part-of-the-rows).",
     .default_text = "all rows of `where`",
     .store = [](Target& to,
                 const Value& value) { to.config.source.tables.back().copy_where = value.text; }},
    {.path = "source.tables[].schema_changes",
     .type = KeyType::choice,
     .help = "The same for this table; see `source.schema_changes`.",
     .default_text = "as source.schema_changes says",
     .choices = kSchemaChanges,
     .store =
         [](Target& to, const Value& value) {
           to.config.source.tables.back().schema_changes = static_cast<SchemaChanges>(value.number);
         }},
    {.path = "state",
     .type = KeyType::url,
     .help = "Where Freshet keeps what it remembers between runs: `sqlite:PATH`, `postgresql://…` "
             "(schema `freshet_state`, created when absent; lets the pipeline go on from another "
             "host) or `memory:` (for tests).",
     .default_text = "sqlite:$XDG_STATE_HOME/freshet/<pipeline>.db",
     .store = [](Target& to, const Value& value) { to.config.state = value.text; }},
    {.path = "mask_key",
     .type = KeyType::secret,
     .help =
         "Key of `hash` masks, best as `${ENV}`: equal values hash alike only under equal keys.",
     .default_text = "made once and kept beside the state",
     .store = [](Target& to, const Value& value) { to.config.mask_key = value.text; }},
    {.path = "embedders",
     .type = KeyType::named_mappings,
     .help = "Models that turn text into vectors, by names of your choice.",
     .store = [](Target& to,
                 const Value& value) { to.embedder = &to.config.embedders[value.text]; }},
    {.path = "embedders.*.type",
     .type = KeyType::choice,
     .help = "`static` runs on this machine from files, `http` asks an OpenAI-compatible server.",
     .choices = kEmbedderTypes,
     .is_required = true,
     .store =
         [](Target& to, const Value& value) {
           to.embedder->type = static_cast<EmbedderType>(value.number);
         }},
    {.path = "embedders.*.model",
     .type = KeyType::text,
     .help = "Name of the model: `http` needs one, e.g. `text-embedding-3-small`; `static` looks "
             "for its files by it unless there is a `path`.",
     .default_text = "`static`: wordllama-256",
     .store = [](Target& to, const Value& value) { to.embedder->model = value.text; }},
    {.path = "embedders.*.path",
     .type = KeyType::text,
     .help =
         "`static`: directory with `weights/` and `tokenizers/`. Else the model is looked for by "
         "its name in $FRESHET_MODEL_DIR, $XDG_DATA_HOME/freshet/models, "
         "/usr/share/freshet/models and the active Python venv.",
     .default_text = "found by its name",
     .store = [](Target& to, const Value& value) { to.embedder->path = value.text; }},
    {.path = "embedders.*.url",
     .type = KeyType::url,
     .help = "`http`: the endpoint, e.g. `https://api.openai.com/v1/embeddings`.",
     .store = [](Target& to, const Value& value) { to.embedder->url = value.text; }},
    {.path = "embedders.*.api_key",
     .type = KeyType::secret,
     .help = "`http`: key sent as a bearer token, best as `${ENV}`.",
     .store = [](Target& to, const Value& value) { to.embedder->api_key = value.text; }},
    {.path = "embedders.*.dimensions",
     .type = KeyType::number,
     .help = "Dimension of the vectors.",
     .default_text = "what the model says",
     .least = 1,
     .most = 16'000,
     .store = [](Target& to,
                 const Value& value) { to.embedder->dimensions = narrow(value.number); }},
    {.path = "embedders.*.batch_texts_max",
     .type = KeyType::number,
     .help = "`http`: texts per request.",
     .default_text = "64",
     .least = 1,
     .most = 2048,
     .store = [](Target& to,
                 const Value& value) { to.embedder->batch_texts_max = narrow(value.number); }},
    {.path = "embedders.*.requests_in_flight",
     .type = KeyType::number,
     .help = "`http`: requests at once.",
     .default_text = "4",
     .least = 1,
     .most = 64,
     .store = [](Target& to,
                 const Value& value) { to.embedder->requests_in_flight = narrow(value.number); }},
    {.path = "embedders.*.timeout",
     .type = KeyType::duration,
     .help = "`http`: how long one request may take.",
     .default_text = "30s",
     .least = 100,
     .most = 600'000,
     .store =
         [](Target& to, const Value& value) {
           to.embedder->timeout = std::chrono::milliseconds(value.number);
         }},
    {.path = "transforms",
     .type = KeyType::list_of_mappings,
     .help =
         "What happens to rows on the way, in order. Each has `table` and one of `embed`, `mask`.",
     .store = [](Target& to, const Value&) { to.config.transforms.emplace_back(); }},
    {.path = "transforms[].table",
     .type = KeyType::table,
     .help = "A table of `source.tables`.",
     .is_required = true,
     .store = [](Target& to,
                 const Value& value) { to.config.transforms.back().table = value.table; }},
    {.path = "transforms[].embed",
     .type = KeyType::mapping,
     .help = "Adds a column with the vector of a text column.",
     .store = [](Target& to, const Value&) { to.config.transforms.back().embed.emplace(); }},
    {.path = "transforms[].embed.from",
     .type = KeyType::text,
     .help = "The text column. NULL and empty text give NULL.",
     .is_required = true,
     .store = [](Target& to,
                 const Value& value) { to.config.transforms.back().embed->from = value.text; }},
    {.path = "transforms[].embed.into",
     .type = KeyType::text,
     .help = "The new column.",
     .is_required = true,
     .store = [](Target& to,
                 const Value& value) { to.config.transforms.back().embed->into = value.text; }},
    {.path = "transforms[].embed.with",
     .type = KeyType::text,
     .help = "Name of an embedder.",
     .is_required = true,
     .store = [](Target& to,
                 const Value& value) { to.config.transforms.back().embed->with = value.text; }},
    {.path = "transforms[].mask",
     .type = KeyType::column_choices,
     .help =
         "Columns to hide: `hash` (keyed; equal stays equal), `redact` (`***`), `null`, `last4` "
         "(all but the last four characters).",
     .choices = kMaskMethods,
     .store =
         [](Target& to, const Value& value) {
           to.config.transforms.back().mask[value.text] = static_cast<MaskMethod>(value.number);
         }},
    {.path = "destinations",
     .type = KeyType::named_mappings,
     .help = "Stores to write to, by names of your choice; at least one.",
     .is_required = true,
     .store =
         [](Target& to, const Value& value) {
           to.config.destinations.push_back({.name = value.text, .url = {}, .vector_index = {}});
         }},
    {.path = "destinations.*.url",
     .type = KeyType::url,
     .help = "`postgresql://…`, `jsonl:PATH`, `jsonl:-` (stdout) or `null:` (discards; for "
             "benchmarks).",
     .is_required = true,
     .store = [](Target& to,
                 const Value& value) { to.config.destinations.back().url = value.text; }},
    {.path = "destinations.*.on_conflict",
     .type = KeyType::choice,
     .help = "PostgreSQL: what to do with a streamed row that the destination refuses (a unique "
             "index, a constraint, a value that does not fit, a row that is not there). `error` "
             "sets the table aside; `source_wins` removes the rows in the way; `newest_wins` those "
             "that are older; `skip` leaves the change out; `quarantine` keeps it there for "
             "`freshet quarantine`.",
     .default_text = "error",
     .choices = kConflictAnswers,
     .store =
         [](Target& to, const Value& value) {
           to.config.destinations.back().on_conflict = static_cast<OnConflict>(value.number);
         }},
    {.path = "destinations.*.newest_by",
     .type = KeyType::text,
     .help = "The column that `on_conflict: newest_wins` compares; each table needs it.",
     .store = [](Target& to,
                 const Value& value) { to.config.destinations.back().newest_by = value.text; }},
    {.path = "destinations.*.schema",
     .type = KeyType::choice,
     .help =
         "PostgreSQL: what is made there of the source's tables. `tables`: columns, NOT NULL and "
         "primary key; `full`: once a table is copied, its indexes, constraints, defaults and "
         "identity too. See [destinations/postgres.md](destinations/postgres.md).",
     .default_text = "tables",
     .choices = kDestinationSchemas,
     .store =
         [](Target& to, const Value& value) {
           to.config.destinations.back().schema = static_cast<DestinationSchema>(value.number);
         }},
    {.path = "destinations.*.vector_index",
     .type = KeyType::mapping_or_none,
     .help = "HNSW index of each vector column, built after the copy; `none` for no index.",
     .store =
         [](Target& to, const Value& value) {
           to.config.destinations.back().vector_index.is_wanted = value.flag;
         }},
    {.path = "destinations.*.vector_index.m",
     .type = KeyType::number,
     .help = "Neighbours per node: more finds better and writes slower.",
     .default_text = "16",
     .least = 2,
     .most = 100,
     .store =
         [](Target& to, const Value& value) {
           to.config.destinations.back().vector_index.m = narrow(value.number);
         }},
    {.path = "destinations.*.vector_index.ef_construction",
     .type = KeyType::number,
     .help = "Candidates looked at per insert; at least twice `m`.",
     .default_text = "64",
     .least = 4,
     .most = 1000,
     .store =
         [](Target& to, const Value& value) {
           to.config.destinations.back().vector_index.ef_construction = narrow(value.number);
         }},
};

}  // namespace

std::span<const KeyDefinition> key_definitions() {
  return kDefinitions;
}

std::string_view key_name(const KeyDefinition& key) {
  const std::size_t dot = key.path.rfind('.');
  return dot == std::string_view::npos ? key.path : key.path.substr(dot + 1);
}

std::vector<const KeyDefinition*> find_children(std::string_view path) {
  std::vector<const KeyDefinition*> children;
  for (const KeyDefinition& key : kDefinitions) {
    const std::size_t dot = key.path.rfind('.');
    const std::string_view parent =
        dot == std::string_view::npos ? std::string_view{} : key.path.substr(0, dot);
    if (parent == path) children.push_back(&key);
  }
  return children;
}

std::span<const std::string_view> mask_method_names() {
  return kMaskMethods;
}

std::span<const std::string_view> embedder_type_names() {
  return kEmbedderTypes;
}

}  // namespace freshet
