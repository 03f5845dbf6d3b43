-- Tables by schema ($1) and name ($2), in that order; those that are missing are left out.
SELECT c.oid, c.relkind, c.relpersistence, c.relreplident,
       coalesce(identity_index.relname, ''),
       row_security_active(c.oid),
       c.relispartition,
       root_namespace.nspname, root.relname,
       has_table_privilege(c.oid, 'SELECT')
         OR NOT EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                          AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')),
       n.nspname, c.relname
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w(schema, name, place)
JOIN pg_namespace n ON n.nspname = w.schema
JOIN pg_class c
  ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN pg_index i
  ON i.indrelid = c.oid AND i.indisvalid AND i.indisunique AND i.indimmediate AND i.indpred IS NULL
     AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident
                             ELSE false END
LEFT JOIN pg_class identity_index ON identity_index.oid = i.indexrelid
LEFT JOIN pg_class root
  ON root.oid = CASE WHEN c.relispartition THEN coalesce(pg_partition_root(c.oid)::oid, c.oid)
                     ELSE c.oid END
LEFT JOIN pg_namespace root_namespace ON root_namespace.oid = root.relnamespace
ORDER BY w.place
