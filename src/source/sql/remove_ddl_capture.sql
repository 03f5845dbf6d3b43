BEGIN;
DROP EVENT TRIGGER IF EXISTS freshet_ddl_command_end;
DROP EVENT TRIGGER IF EXISTS freshet_sql_drop;
DROP FUNCTION IF EXISTS freshet.capture_ddl();
-- The schema stays if anything else is in it.
DO $$
BEGIN
  DROP SCHEMA IF EXISTS freshet;
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;
END
$$;
COMMIT;
