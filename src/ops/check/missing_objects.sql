-- $1 pipeline: what of its tables could not be made here, for a reason; and what is not made yet
-- though its table is streaming. A sequence has no name of its own.
SELECT o.schema, o."table", replace(o.kind, '_', ' '), coalesce(nullif(o.name, ''), o.other_table),
       CASE WHEN o.state = 'failed' THEN coalesce(o.reason, '') END
FROM freshet.table_objects o
WHERE o.pipeline = $1
  AND (o.state = 'failed'
       OR (o.state IN ('wanted', 'building')
           AND EXISTS (SELECT FROM freshet.tables t
                       WHERE t.pipeline = o.pipeline AND t.schema = o.schema
                         AND t."table" = o."table" AND t.phase = 'streaming')))
ORDER BY 1, 2, o.place
