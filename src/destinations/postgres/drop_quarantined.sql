-- $1 pipeline, $2 schema, $3 table: what waits for a table that is emptied means nothing any more.
DELETE FROM freshet.quarantine WHERE pipeline = $1 AND schema = $2 AND "table" = $3
