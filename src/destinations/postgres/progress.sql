-- $1 pipeline
SELECT fence, position, system_identifier, timeline, slot_name, consistent_point, epoch
FROM freshet.progress WHERE pipeline = $1
