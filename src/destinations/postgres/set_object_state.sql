-- $1 pipeline, $2 schema, $3 table, $4 place, $5 state, $6 reason. No row: it may not stand any more,
-- or is not wanted now.
UPDATE freshet.table_objects o SET state = $5, reason = $6
WHERE o.pipeline = $1 AND o.schema = $2 AND o."table" = $3 AND o.place = $4::integer
  AND o.state IN ('wanted', 'building') AND freshet.may_stand(o)
RETURNING 1
