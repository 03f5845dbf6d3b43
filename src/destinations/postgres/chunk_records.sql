-- $1 pipeline
SELECT schema, "table", key_columns, from_key, to_key, snapshot, read_upto, relfilenode, condition
FROM freshet.chunks WHERE pipeline = $1 ORDER BY 1, 2, 4
