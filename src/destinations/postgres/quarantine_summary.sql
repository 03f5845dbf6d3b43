-- $1 pipeline, $2 schema, $3 table, $4 id (NULL: any).
SELECT schema, "table", sqlstate, constraint_name, min(message), count(*), min(commit_lsn)
FROM freshet.quarantine
WHERE pipeline = $1 AND ($2::text IS NULL OR (schema = $2 AND "table" = $3))
  AND ($4::bigint IS NULL OR id = $4::bigint)
GROUP BY schema, "table", sqlstate, constraint_name,
         CASE WHEN sqlstate IS NULL THEN message END
ORDER BY schema, "table", min(id)
