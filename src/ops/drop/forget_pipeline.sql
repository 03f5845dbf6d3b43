-- $1 pipeline. Removes what a destination keeps of it, but no data; how many rows went.
WITH tables AS (DELETE FROM freshet.tables WHERE pipeline = $1 RETURNING 1),
     fences AS (DELETE FROM freshet.fence WHERE pipeline = $1 RETURNING 1),
     chunks AS (DELETE FROM freshet.chunks WHERE pipeline = $1 RETURNING 1),
     quarantined AS (DELETE FROM freshet.quarantine WHERE pipeline = $1 RETURNING 1),
     definitions AS (DELETE FROM freshet.definitions WHERE pipeline = $1 RETURNING 1),
     objects AS (DELETE FROM freshet.table_objects WHERE pipeline = $1 RETURNING 1),
     indexes AS (DELETE FROM freshet.vector_indexes WHERE pipeline = $1 RETURNING 1),
     progress AS (DELETE FROM freshet.progress WHERE pipeline = $1 RETURNING 1)
SELECT (SELECT count(*) FROM progress) + (SELECT count(*) FROM tables)
       + (SELECT count(*) FROM fences) + (SELECT count(*) FROM indexes)
