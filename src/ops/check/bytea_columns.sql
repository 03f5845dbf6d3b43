-- $1: JSON list of {"schema", "name"}. Of each of these tables that has columns of bytea: their names
-- as SQL, and the bytes of its large values as they are stored, with those of its partitions.
SELECT n.nspname AS schema, c.relname AS name,
       json_agg(DISTINCT quote_ident(a.attname)) AS columns,
       (SELECT coalesce(sum(pg_relation_size(l.reltoastrelid)), 0) FROM pg_class l
        WHERE (l.oid = c.oid OR l.oid IN (SELECT relid FROM pg_partition_tree(c.oid)))
          AND l.reltoastrelid <> 0)::bigint AS stored_bytes
FROM json_to_recordset($1::json) AS w(schema text, name text)
JOIN pg_namespace n ON n.nspname = w.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p')
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     AND a.atttypid = 'bytea'::regtype
GROUP BY n.nspname, c.relname, c.oid
