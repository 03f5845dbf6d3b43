-- DDL capture: event triggers that write each table's new definition into the stream, as a logical
-- message of the transaction that changes it. Nothing of it can make a statement fail. Run as
-- superuser (or in the role that your provider lets make event triggers) in the source database.
BEGIN;
CREATE SCHEMA IF NOT EXISTS freshet;

-- With the rights of its owner, so that pg_logical_emit_message may be taken from PUBLIC. Settings
-- are those under which Freshet reads the catalogue: they decide what values look like as text.
CREATE OR REPLACE FUNCTION freshet.capture_ddl() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO' SET intervalstyle = 'postgres' SET timezone = 'UTC'
SET extra_float_digits = 3 SET bytea_output = 'hex' SET lc_monetary = 'C' SET xmloption = 'content'
AS $capture$
DECLARE
  changed oid[];
  messages bytea[];
  message bytea;
BEGIN
  -- An ALTER TABLE that drops something comes once more at its end.
  IF current_setting('wal_level') <> 'logical' OR (tg_event = 'sql_drop' AND tg_tag = 'ALTER TABLE') THEN
    RETURN;
  END IF;
  BEGIN  -- Only reads: to the WAL this block is no sub-transaction.
    IF tg_event = 'sql_drop' THEN  -- columns that went with their type, say
      SELECT array_agg(DISTINCT objid) INTO changed FROM pg_event_trigger_dropped_objects()
      WHERE classid = 'pg_class'::regclass AND objsubid > 0;
    ELSE
      SELECT array_agg(DISTINCT objid) INTO changed FROM pg_event_trigger_ddl_commands()
      WHERE classid = 'pg_class'::regclass;
    END IF;
    IF changed IS NULL THEN
      RETURN;
    END IF;
    WITH RECURSIVE target AS (  -- what is done to a table is done to its children
      SELECT unnest(changed) AS relid
      UNION
      SELECT i.inhrelid FROM target JOIN pg_inherits i ON i.inhparent = target.relid)
    SELECT array_agg(convert_to(jsonb_build_object(
             'version', 1, 'xid', writer.xid, 'relation', c.oid::bigint, 'schema', n.nspname, 'table', c.relname,
             'identity', c.relreplident::text,
             'definition', of_table.text, 'files', of_table.files,
             'columns', (SELECT coalesce(jsonb_agg(jsonb_build_array(
                                  col.name, col.attnum, col.type::bigint, col.typmod, NULL,
                                  col.is_not_null, col.is_generated, col.is_comparable,
                                  col.primary_key_place, col.is_identity, col.missing)), '[]')
                         FROM ({columns}) col(name, attnum, type, typmod, type_sql, is_not_null,
                                 is_generated, is_builtin, is_comparable, primary_key_place,
                                 is_identity, missing, relation)))::text, 'UTF8'))
    INTO messages
    FROM target
    JOIN pg_class c ON c.oid = target.relid AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL ({definition}) of_table(text, relation, files)
    CROSS JOIN (VALUES (pg_current_xact_id()::text::bigint,
                        pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                        4294967296)) xact(top, next, epoch)
    -- The sub-transaction, which a streamed transaction's message does not tell, and which may be
    -- rolled back: whoever wrote the latest of those entries of the table that are ours. Those that
    -- another wrote, and that we see, were committed; and before the snapshot gave out `next`. (What
    -- number a frozen entry has says nothing: nobody has a million sub-transactions.)
    CROSS JOIN LATERAL (
      SELECT coalesce(max(own.xid), xact.top) % xact.epoch AS xid
      FROM (
        SELECT a.xmin FROM pg_attribute a WHERE a.attrelid = c.oid
        UNION ALL SELECT c.xmin
        UNION ALL SELECT i.xmin FROM pg_index i WHERE i.indrelid = c.oid
        UNION ALL SELECT k.xmin FROM pg_constraint k WHERE k.conrelid = c.oid) entry
      CROSS JOIN LATERAL (
        SELECT xact.top + ((entry.xmin::text::bigint - xact.top) % xact.epoch + xact.epoch) % xact.epoch
      ) own(xid)
      WHERE own.xid < xact.next + 1000000
        AND CASE WHEN own.xid < xact.next THEN pg_xact_status(own.xid::text::xid8) = 'in progress'
            ELSE true END) writer;
    IF NOT (SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE')) FROM pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = 'pg_logical_emit_message') THEN
      RAISE EXCEPTION 'role % may not execute pg_logical_emit_message', current_user;
    END IF;
  EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'freshet could not capture %: %', tg_tag, SQLERRM;
    RETURN;
  END;
  FOREACH message IN ARRAY coalesce(messages, '{}') LOOP
    PERFORM pg_logical_emit_message(true, 'freshet.ddl', message);
  END LOOP;
END
$capture$;
COMMENT ON FUNCTION freshet.capture_ddl() IS 'Freshet DDL capture, version 1';

DROP EVENT TRIGGER IF EXISTS freshet_ddl_command_end;
DROP EVENT TRIGGER IF EXISTS freshet_sql_drop;
CREATE EVENT TRIGGER freshet_ddl_command_end ON ddl_command_end
  WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION freshet.capture_ddl();
CREATE EVENT TRIGGER freshet_sql_drop ON sql_drop EXECUTE FUNCTION freshet.capture_ddl();
-- Also for what is itself replicated.
ALTER EVENT TRIGGER freshet_ddl_command_end ENABLE ALWAYS;
ALTER EVENT TRIGGER freshet_sql_drop ENABLE ALWAYS;
COMMIT;
