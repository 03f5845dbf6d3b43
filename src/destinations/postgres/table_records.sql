-- $1 pipeline. A table that is recorded but gone has nothing: it must be copied again.
SELECT t.schema, t."table",
       CASE WHEN EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                         WHERE n.nspname = t.schema AND c.relname = t."table")
            THEN t.phase ELSE 'pending' END
FROM freshet.tables t WHERE t.pipeline = $1 ORDER BY 1, 2
