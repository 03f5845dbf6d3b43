-- $1 pipeline, $2 schema, $3 table: its objects that are wanted and may stand, and what failed.
SELECT o.place, o.kind, o.name, o.definition, o.other_schema, o.other_table, o.state
FROM freshet.table_objects o
WHERE o.pipeline = $1 AND o.schema = $2 AND o."table" = $3
  AND (o.state = 'failed' OR (o.state IN ('wanted', 'building') AND freshet.may_stand(o)))
ORDER BY o.place
