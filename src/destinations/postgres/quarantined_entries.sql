-- $1 pipeline, $2 schema, $3 table, $4 id (NULL: any), $5 how many at most.
SELECT id, schema, "table", op, keys, key_columns, before, after, unchanged, addressing, lsn,
       commit_lsn, xid, committed_at, sqlstate, constraint_name, message, quarantined_at
FROM freshet.quarantine
WHERE pipeline = $1 AND ($2::text IS NULL OR (schema = $2 AND "table" = $3))
  AND ($4::bigint IS NULL OR id = $4::bigint)
ORDER BY id LIMIT $5::bigint
