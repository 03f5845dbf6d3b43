-- Version 2 of the state file (PRAGMA user_version).
-- Positions and LSNs are kept in PostgreSQL's text form. `checksum` covers a row's other columns:
-- SQLite notices a damaged page structure, but not a flipped bit within a value.
CREATE TABLE epoch_counter (last INTEGER NOT NULL) STRICT;
INSERT INTO epoch_counter VALUES (0);

CREATE TABLE pipeline (
  name TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  holder_host TEXT,            -- NULL: nobody holds the lease
  holder_pid INTEGER,
  holder_start TEXT,           -- tells the process from others of the same pid
  renewed_at_ms INTEGER,
  publication TEXT             -- NULL unless Freshet created it
) STRICT, WITHOUT ROWID;

CREATE TABLE slot (
  pipeline TEXT PRIMARY KEY REFERENCES pipeline ON DELETE CASCADE,
  system_identifier TEXT NOT NULL,
  timeline INTEGER NOT NULL,
  slot_name TEXT NOT NULL,
  consistent_point TEXT NOT NULL,
  epoch TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the source's catalogue said of the tables when last looked at, as the pipeline wrote it.
CREATE TABLE watched (
  pipeline TEXT PRIMARY KEY REFERENCES pipeline ON DELETE CASCADE,
  text TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE position (
  pipeline TEXT NOT NULL REFERENCES pipeline ON DELETE CASCADE,
  destination TEXT NOT NULL,
  lsn TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (pipeline, destination)
) STRICT, WITHOUT ROWID;

CREATE TABLE table_state (
  pipeline TEXT NOT NULL REFERENCES pipeline ON DELETE CASCADE,
  destination TEXT NOT NULL,
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  phase TEXT NOT NULL,
  reason TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (pipeline, destination, schema_name, table_name)
) STRICT, WITHOUT ROWID;

-- What a destination's table was last made for.
CREATE TABLE table_schema (
  pipeline TEXT NOT NULL REFERENCES pipeline ON DELETE CASCADE,
  destination TEXT NOT NULL,
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  relation INTEGER NOT NULL,
  identity TEXT NOT NULL,
  version INTEGER NOT NULL,
  definition TEXT NOT NULL,
  files TEXT NOT NULL,
  PRIMARY KEY (pipeline, destination, schema_name, table_name)
) STRICT, WITHOUT ROWID;

CREATE TABLE table_column (
  pipeline TEXT NOT NULL,
  destination TEXT NOT NULL,
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  place INTEGER NOT NULL,
  name TEXT NOT NULL,
  type INTEGER NOT NULL,
  typmod INTEGER NOT NULL,
  type_sql TEXT NOT NULL,
  attnum INTEGER NOT NULL,
  is_not_null INTEGER NOT NULL,
  is_identity INTEGER NOT NULL,
  primary_key_place INTEGER NOT NULL,
  is_derived INTEGER NOT NULL,
  is_builtin_type INTEGER NOT NULL,
  is_byte_comparable INTEGER NOT NULL,
  missing_value TEXT,
  PRIMARY KEY (pipeline, destination, schema_name, table_name, place),
  FOREIGN KEY (pipeline, destination, schema_name, table_name)
    REFERENCES table_schema ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- What operators want of single tables.
CREATE TABLE table_wish (
  pipeline TEXT NOT NULL,      -- refers to nothing: a wish may come before the pipeline ever ran
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  wish TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (pipeline, schema_name, table_name)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
