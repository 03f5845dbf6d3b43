-- $1 pipeline, $2 schema, $3 table
DELETE FROM freshet.table_objects WHERE pipeline = $1 AND schema = $2 AND "table" = $3
