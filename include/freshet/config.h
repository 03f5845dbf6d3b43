// A pipeline's configuration as typed values. Parsed once (src/config), never changed afterwards.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "freshet/lsn.h"
#include "freshet/schema.h"

namespace freshet {

enum class CopyMode : std::uint8_t {
  automatic,  ///< Chunks for a large table whose primary key allows it; else a snapshot.
  chunked,    ///< Ranges of the primary key, each under a snapshot of its own.
  snapshot,   ///< The whole table under one snapshot.
  none,       ///< Start from the slot's consistent point without copying.
};

/// What to do where the definition of a table changes at the source.
enum class SchemaChanges : std::uint8_t {
  evolve,  ///< The destinations' tables follow.
  ignore,  ///< The destinations' tables stay as they are; new columns are left out.
  halt,    ///< The table stops before the first row of the new definition.
};

/// One table of the source.
struct TableConfig {
  TableName name;
  std::vector<std::string> columns;  ///< Empty: all columns.
  std::string where;  ///< SQL boolean expression over the table's columns; empty: all rows.
  std::optional<CopyMode> copy = {};  ///< Nothing: as the source's copy mode says.
  std::string copy_where = {};        ///< The same: of the rows of `where`, those that are copied.
  std::optional<SchemaChanges> schema_changes = {};  ///< Nothing: as the source's says.
};

/// What to do where rows or changes were missed.
enum class OnGap : std::uint8_t {
  stop,    ///< End with an error.
  resync,  ///< Copy the tables concerned again.
};

struct CopyConfig {
  CopyMode mode = CopyMode::automatic;
  std::uint32_t connections = 4;  ///< Parallel COPY connections at the source, 1..64.
};

struct SourceConfig {
  std::string url;           ///< libpq URI or conninfo. May hold a password: never print it.
  std::string slot;          ///< Empty: freshet_<pipeline>, created when absent.
  bool adopts_slot = false;  ///< The slot was made by somebody else: go on from it.
  std::optional<Lsn> start_lsn = {};      ///< Of an adopted slot; nothing: where it stands.
  std::vector<std::string> publications;  ///< Empty: freshet_<pipeline>, created when absent.
  bool is_streaming = true;               ///< Ask for in-progress transactions (protocol >= 2).
  bool is_two_phase = false;
  bool is_binary = false;          ///< Ask for values in their types' binary forms.
  bool is_failover = false;        ///< The slot is to be synchronised to standbys (17+).
  bool publishes_via_root = true;  ///< publish_via_partition_root of a publication we create.
  std::string origin = "any";      ///< "any" or "none".
  OnGap on_gap = OnGap::stop;
  SchemaChanges schema_changes = SchemaChanges::evolve;
  CopyConfig copy;
  std::vector<TableConfig> tables;  ///< Empty: all tables of the named publications.
  std::size_t memory_bytes_max = std::size_t{64}
                                 << 20;  ///< Budget for open transactions; more spills to disk.
};

enum class EmbedderType : std::uint8_t { static_model, http };

struct EmbedderConfig {
  EmbedderType type = EmbedderType::static_model;
  std::string model;    ///< Model name; for a static one also a directory name.
  std::string path;     ///< Static: directory that holds weights/ and tokenizers/.
  std::string url;      ///< HTTP: the endpoint.
  std::string api_key;  ///< HTTP: secret; from ${ENV}. Never print it.
  std::optional<std::uint32_t> dimensions;
  std::uint32_t batch_texts_max = 64;    ///< HTTP: texts per request, 1..2048.
  std::uint32_t requests_in_flight = 4;  ///< HTTP: 1..64.
  std::chrono::milliseconds timeout{30'000};
};

enum class MaskMethod : std::uint8_t {
  hash,    ///< HMAC-SHA-256 in hexadecimal: equal values stay equal, in all tables of one key.
  redact,  ///< `***`
  null,    ///< NULL
  last4,   ///< `****` and the last four characters; nothing of a text that has no more than four.
};

struct EmbedConfig {
  std::string from;
  std::string into;
  std::string with;  ///< Name of an embedder.
};

/// One entry of `transforms`: exactly one of embed and mask is set.
struct TransformConfig {
  TableName table;
  std::optional<EmbedConfig> embed;
  std::map<std::string, MaskMethod> mask;
};

/// `vector_index: {m, ef_construction} | none`: the HNSW index of each vector column.
struct VectorIndexConfig {
  bool is_wanted = true;
  std::uint32_t m = 16;                ///< 2..100
  std::uint32_t ef_construction = 64;  ///< 4..1000
};

/// What to do with one row that a destination refuses while changes are streamed to it.
enum class OnConflict : std::uint8_t {
  error,        ///< The table is set aside.
  source_wins,  ///< Rows in the way go; what that cannot mend is as `error`.
  newest_wins,  ///< The same, where they are older by DestinationConfig::newest_by; else as `skip`.
  skip,         ///< The change is left out.
  quarantine,   ///< The change is kept in freshet.quarantine, with later ones of its key.
};

/// What of the source's tables is made at a destination.
enum class DestinationSchema : std::uint8_t {
  tables,  ///< Columns, NOT NULL and primary key.
  full,    ///< After the copy also indexes, constraints, defaults and identity.
};

struct DestinationConfig {
  std::string name;
  std::string
      url;  ///< postgresql://…, jsonl:PATH, jsonl:- or null:. May hold a password: never print it.
  VectorIndexConfig vector_index;
  OnConflict on_conflict = OnConflict::error;            ///< PostgreSQL only.
  std::string newest_by = {};                            ///< Column that `newest_wins` compares.
  DestinationSchema schema = DestinationSchema::tables;  ///< The same.
};

struct PipelineConfig {
  std::string pipeline;  ///< [a-z0-9_]{1,40}
  SourceConfig source;
  std::string state;     ///< "sqlite:PATH" or "memory:"; empty: a file under XDG_STATE_HOME.
  std::string mask_key;  ///< Key of `hash` masks; secret, from ${ENV}. Empty: made and kept in the
                         ///< state directory.
  std::map<std::string, EmbedderConfig> embedders;
  std::vector<TransformConfig> transforms;
  std::vector<DestinationConfig> destinations;
};

/// The slot's and the publication's default name: freshet_<pipeline>.
std::string default_object_name(const PipelineConfig& config);
/// What the `application_name` of all the pipeline's sessions begins with: freshet <pipeline>.
std::string application_name(const std::string& pipeline);

}  // namespace freshet
