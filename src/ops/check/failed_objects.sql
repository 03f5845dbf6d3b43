-- $1 pipeline: what of its tables could not be made here. A sequence has no name of its own.
SELECT schema, "table", replace(kind, '_', ' '), coalesce(nullif(name, ''), other_table), reason
FROM freshet.table_objects WHERE pipeline = $1 AND state = 'failed'
ORDER BY 1, 2, place
