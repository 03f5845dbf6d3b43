-- $1 pipeline: what could not be made is tried again.
UPDATE freshet.table_objects SET state = 'wanted', reason = NULL
WHERE pipeline = $1 AND state = 'failed'
