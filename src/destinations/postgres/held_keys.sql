-- $1 pipeline, $2 schema, $3 table, or NULL for all tables: which keys wait in quarantine.
SELECT q.id, q.schema, q."table", k.key
FROM freshet.quarantine q LEFT JOIN LATERAL json_array_elements_text(q.keys) AS k(key) ON true
WHERE q.pipeline = $1 AND ($2::text IS NULL OR (q.schema = $2 AND q."table" = $3))
ORDER BY q.schema, q."table", q.id
