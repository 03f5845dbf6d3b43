-- $1 pipeline: tables of which something is wanted that may stand.
SELECT DISTINCT o.schema, o."table" FROM freshet.table_objects o
WHERE o.pipeline = $1 AND o.state IN ('wanted', 'building') AND freshet.may_stand(o)
ORDER BY 1, 2
