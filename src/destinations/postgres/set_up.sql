-- What Freshet keeps in a destination. Run in one transaction, under an advisory lock, by whichever
-- pipeline comes first; harmless when it is all there.
SELECT pg_advisory_xact_lock(7310586231180161);
CREATE SCHEMA IF NOT EXISTS freshet;
-- One row per pipeline: how far it got, of which slot, and which writer may move it. Updated with
-- every commit: the room on its page keeps those updates in place.
CREATE TABLE IF NOT EXISTS freshet.progress (
  pipeline text PRIMARY KEY,
  fence bigint NOT NULL DEFAULT 0,
  holder text,
  system_identifier text,
  timeline bigint,
  slot_name text,
  consistent_point pg_lsn,
  epoch text,
  position pg_lsn,
  committed_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 20, autovacuum_vacuum_threshold = 2000);
COMMENT ON COLUMN freshet.progress.position IS 'end LSN of the last source transaction applied';
COMMENT ON COLUMN freshet.progress.committed_at IS 'when that transaction committed at the source';
-- The same fence for the writers of copied ranges, which must not wait for the row above.
CREATE TABLE IF NOT EXISTS freshet.fence (
  pipeline text PRIMARY KEY,
  fence bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS freshet.tables (
  pipeline text NOT NULL,
  schema text NOT NULL,
  "table" text NOT NULL,
  phase text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, schema, "table")
);
-- Which of the source's columns, by number, each column here was last made for: what a repeated
-- change of definition starts from, whatever the state store still believes.
CREATE TABLE IF NOT EXISTS freshet.definitions (
  pipeline text NOT NULL,
  schema text NOT NULL,
  "table" text NOT NULL,
  definition text NOT NULL,
  PRIMARY KEY (pipeline, schema, "table")
);
-- Key ranges that lie here whole while the rest of their table is still being copied. Keys are lines
-- of COPY text; an empty one is an open end.
CREATE TABLE IF NOT EXISTS freshet.chunks (
  pipeline text NOT NULL,
  schema text NOT NULL,
  "table" text NOT NULL,
  key_columns text NOT NULL,
  from_key text NOT NULL,
  to_key text NOT NULL,
  snapshot text NOT NULL,
  read_upto pg_lsn NOT NULL,
  relfilenode bigint NOT NULL,
  condition text NOT NULL,
  PRIMARY KEY (pipeline, schema, "table", from_key)
);
-- Vector indexes that are wanted, so that a restart resumes building them.
CREATE TABLE IF NOT EXISTS freshet.vector_indexes (
  pipeline text NOT NULL,
  schema text NOT NULL,
  "table" text NOT NULL,
  "column" text NOT NULL,
  m integer NOT NULL,
  ef_construction integer NOT NULL,
  PRIMARY KEY (pipeline, schema, "table", "column")
);
-- What of a table's indexes, constraints, defaults and sequences is to be made here, in the order
-- `place`: 'wanted'; 'building' (an index: what stands under its name is ours); 'built' by us;
-- 'found' here; 'failed', for a reason.
CREATE TABLE IF NOT EXISTS freshet.table_objects (
  pipeline text NOT NULL,
  schema text NOT NULL,
  "table" text NOT NULL,
  place integer NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  definition text NOT NULL,
  other_schema text NOT NULL,
  other_table text NOT NULL,
  state text NOT NULL DEFAULT 'wanted',
  reason text,
  PRIMARY KEY (pipeline, schema, "table", place)
);
-- For foreign keys, by the table that they refer to.
CREATE INDEX IF NOT EXISTS table_objects_other_idx
  ON freshet.table_objects (pipeline, other_schema, other_table);
-- Whether it may stand: rows fit constraints only once all tables concerned are streaming, and a
-- foreign key needs the other table's unique keys.
CREATE OR REPLACE FUNCTION freshet.may_stand(object freshet.table_objects)
RETURNS boolean LANGUAGE sql STABLE AS $function$
  SELECT EXISTS (SELECT FROM freshet.tables t
                 WHERE t.pipeline = object.pipeline AND t.schema = object.schema
                   AND t."table" = object."table" AND t.phase = 'streaming')
     AND (object.kind NOT IN ('foreign_key', 'validation') OR object.other_table = ''
          OR (object.other_schema, object.other_table) = (object.schema, object."table")
          OR (EXISTS (SELECT FROM freshet.tables t
                      WHERE t.pipeline = object.pipeline AND t.schema = object.other_schema
                        AND t."table" = object.other_table AND t.phase = 'streaming')
              AND NOT EXISTS (SELECT FROM freshet.table_objects o
                              WHERE o.pipeline = object.pipeline
                                AND o.schema = object.other_schema
                                AND o."table" = object.other_table
                                AND o.kind IN ('unique_index', 'constraint')
                                AND o.state IN ('wanted', 'building'))))
$function$;
-- Changes that could not be applied, in the order in which they came, and later ones of the same keys.
-- Images map columns to values as text; what was not sent is missing there. Keys are lines of COPY
-- text; `\*` stands for all keys of the table, and `\#` starts the hash of a row that has no key.
CREATE TABLE IF NOT EXISTS freshet.quarantine (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline text NOT NULL,
  schema text NOT NULL,
  "table" text NOT NULL,
  op text NOT NULL,
  keys json NOT NULL,
  addressing text NOT NULL,
  key_columns json NOT NULL,
  before json,
  after json,
  unchanged json NOT NULL,
  lsn pg_lsn NOT NULL,
  commit_lsn pg_lsn NOT NULL,
  xid bigint,
  committed_at timestamptz,
  sqlstate text,
  constraint_name text,
  message text NOT NULL,
  quarantined_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS quarantine_table_idx
  ON freshet.quarantine (pipeline, schema, "table", id);
-- Moves a pipeline's position, if nobody else did: otherwise raises FR001 (a newer writer took
-- over) or FR002 (the position is not the one that this writer left).
CREATE OR REPLACE FUNCTION freshet.advance(
  of_pipeline text, of_epoch text, of_fence bigint,
  from_position pg_lsn, to_position pg_lsn, at_micros bigint
) RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  UPDATE freshet.progress SET
    position = to_position,
    committed_at = CASE WHEN at_micros = 0 THEN committed_at ELSE
      timestamptz '2000-01-01 00:00:00+00' + at_micros * interval '1 microsecond' END,
    updated_at = clock_timestamp()
  WHERE pipeline = of_pipeline AND fence = of_fence AND epoch = of_epoch
    AND position = from_position;
  IF FOUND THEN
    RETURN;
  END IF;
  PERFORM FROM freshet.progress WHERE pipeline = of_pipeline AND fence > of_fence;
  IF FOUND THEN
    RAISE EXCEPTION 'a newer writer took the pipeline over' USING ERRCODE = 'FR001';
  END IF;
  RAISE EXCEPTION 'the position kept here is not the one last written' USING ERRCODE = 'FR002';
END
$function$;
-- Refuses a range of a copy whose writer was taken over (FR001). The lock makes a taker-over wait
-- until the range has committed.
CREATE OR REPLACE FUNCTION freshet.check_fence(of_pipeline text, of_fence bigint)
RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  PERFORM FROM freshet.fence WHERE pipeline = of_pipeline AND fence = of_fence FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a newer writer took the pipeline over' USING ERRCODE = 'FR001';
  END IF;
END
$function$;
-- Raises FR003 when a statement touched fewer rows than it had to.
CREATE OR REPLACE FUNCTION freshet.expect(hit_rows bigint, wanted_rows bigint)
RETURNS void LANGUAGE plpgsql AS $function$
BEGIN
  IF hit_rows < wanted_rows THEN
    RAISE EXCEPTION 'a row to be updated is not there' USING ERRCODE = 'FR003';
  END IF;
END
$function$;
