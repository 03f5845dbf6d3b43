-- $1 pipeline: vector indexes that are wanted, and what stands under their name.
SELECT w.schema, w."table", w."column", w.m, w.ef_construction
FROM freshet.vector_indexes w WHERE w.pipeline = $1 ORDER BY 1, 2, 3
