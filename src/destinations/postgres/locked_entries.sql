-- $1 pipeline, $2 ids; in the columns of quarantined_entries.sql.
SELECT id, schema, "table", op, keys, key_columns, before, after, unchanged, addressing, lsn,
       commit_lsn, xid, committed_at, sqlstate, constraint_name, message, quarantined_at
FROM freshet.quarantine
WHERE pipeline = $1 AND id = ANY ($2::bigint[])
ORDER BY id FOR UPDATE
