-- $1 schema, $2 table: the relation, if it exists.
SELECT c.oid, c.relkind, c.relpersistence
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
