-- $1 pipeline, $2 schema, $3 table
SELECT definition FROM freshet.definitions WHERE pipeline = $1 AND schema = $2 AND "table" = $3
