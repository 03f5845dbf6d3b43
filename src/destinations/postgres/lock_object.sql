-- $1 pipeline, $2 schema, $3 table, $4 place: what is asked of it afterwards is true until the commit.
SELECT 1 FROM freshet.table_objects
WHERE pipeline = $1 AND schema = $2 AND "table" = $3 AND place = $4::integer
FOR UPDATE
