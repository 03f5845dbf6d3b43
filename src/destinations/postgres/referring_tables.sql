-- $1 pipeline, $2 schema, $3 table: those whose foreign keys to it are wanted and may stand by now.
SELECT DISTINCT o.schema, o."table" FROM freshet.table_objects o
WHERE o.pipeline = $1 AND o.other_schema = $2 AND o.other_table = $3
  AND (o.schema, o."table") <> ($2::text, $3::text)
  AND o.kind = 'foreign_key' AND o.state IN ('wanted', 'building') AND freshet.may_stand(o)
ORDER BY 1, 2
