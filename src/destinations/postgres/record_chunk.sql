-- $1 pipeline, $2 schema, $3 table, $4 key columns, $5 from, $6 to, $7 snapshot, $8 LSN read up to,
-- $9 relfilenode, $10 condition on the rows
INSERT INTO freshet.chunks VALUES ($1, $2, $3, $4, $5, $6, $7, $8::pg_lsn, $9::bigint, $10)
