-- $1 pipeline, $2 schema, $3 table, $4 op, $5 keys, $6 addressing, $7 key columns, $8 before,
-- $9 after, $10 unchanged, $11 lsn, $12 commit lsn, $13 xid, $14 committed at, as microseconds since
-- 2000, $15 sqlstate, $16 constraint, $17 message
INSERT INTO freshet.quarantine (pipeline, schema, "table", op, keys, addressing, key_columns, before,
                                after, unchanged, lsn, commit_lsn, xid, committed_at, sqlstate,
                                constraint_name, message)
VALUES ($1, $2, $3, $4, $5::json, $6, $7::json, $8::json, $9::json, $10::json, $11::pg_lsn,
        $12::pg_lsn, $13::bigint,
        timestamptz '2000-01-01 00:00:00+00' + $14::bigint * interval '1 microsecond',
        $15, $16, $17)
