-- Version 2 of the state in a database. Run in one transaction, under an advisory lock, by whichever
-- pipeline comes first.
--
-- The schema may have been made for us, where we may not make one. Each table has a key, so that
-- writes pass where the database has a publication FOR ALL TABLES.
DO $$
BEGIN
  IF to_regnamespace('freshet_state') IS NULL THEN
    CREATE SCHEMA freshet_state;
  END IF;
END
$$;

CREATE TABLE freshet_state.version (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  version integer NOT NULL
);
INSERT INTO freshet_state.version (version) VALUES (2);

-- Beside `pipeline`, since the lease of a forgotten pipeline must stay stale.
CREATE TABLE freshet_state.epoch_counter (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  last bigint NOT NULL
);
INSERT INTO freshet_state.epoch_counter (last) VALUES (0);

-- Renewed every few seconds: the room on its page keeps those updates in place.
CREATE TABLE freshet_state.pipeline (
  name text PRIMARY KEY,
  epoch bigint NOT NULL,
  holder_host text,                 -- NULL: nobody holds the lease
  holder_pid bigint NOT NULL,
  holder_process text NOT NULL,     -- tells the process from others of the same pid
  renewed_at timestamptz NOT NULL,  -- by this server's clock
  publication text                  -- NULL unless Freshet created it
) WITH (fillfactor = 20);

CREATE TABLE freshet_state.slot (
  pipeline text PRIMARY KEY REFERENCES freshet_state.pipeline ON DELETE CASCADE,
  system_identifier text NOT NULL,
  timeline bigint NOT NULL,
  slot_name text NOT NULL,
  consistent_point pg_lsn NOT NULL,
  epoch text NOT NULL
);

-- What the source's catalogue said of the tables when last looked at, as the pipeline wrote it.
CREATE TABLE freshet_state.watched (
  pipeline text PRIMARY KEY REFERENCES freshet_state.pipeline ON DELETE CASCADE,
  text text NOT NULL
);

CREATE TABLE freshet_state.position (
  pipeline text NOT NULL REFERENCES freshet_state.pipeline ON DELETE CASCADE,
  destination text NOT NULL,
  position pg_lsn NOT NULL,
  PRIMARY KEY (pipeline, destination)
) WITH (fillfactor = 20);

CREATE TABLE freshet_state.table_state (
  pipeline text NOT NULL REFERENCES freshet_state.pipeline ON DELETE CASCADE,
  destination text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  phase text NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (pipeline, destination, schema_name, table_name)
);

-- What a destination's table was last made for.
CREATE TABLE freshet_state.table_schema (
  pipeline text NOT NULL REFERENCES freshet_state.pipeline ON DELETE CASCADE,
  destination text NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  relation oid NOT NULL,
  identity text NOT NULL CHECK (identity IN ('d', 'n', 'f', 'i')),
  version bigint NOT NULL,
  definition text NOT NULL,
  files text NOT NULL,
  columns jsonb NOT NULL,           -- a list of objects, in the columns' order
  PRIMARY KEY (pipeline, destination, schema_name, table_name)
);

-- What operators want of single tables.
CREATE TABLE freshet_state.table_wish (
  pipeline text NOT NULL,           -- refers to nothing: a wish may come before the pipeline ever ran
  schema_name text NOT NULL,
  table_name text NOT NULL,
  wish text NOT NULL,
  PRIMARY KEY (pipeline, schema_name, table_name)
)
