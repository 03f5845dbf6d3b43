-- $1 pipeline, $2 ids as a JSON array; in the columns of quarantined_entries.sql.
SELECT id, schema, "table", op, keys, key_columns, before, after, unchanged, addressing, lsn,
       commit_lsn, xid, committed_at, sqlstate, constraint_name, message, quarantined_at
FROM freshet.quarantine
WHERE pipeline = $1 AND id IN (SELECT i.id::bigint FROM json_array_elements_text($2::json) AS i(id))
ORDER BY id FOR UPDATE
