SELECT system_identifier, timeline, slot_name, consistent_point, epoch, checksum
FROM slot WHERE pipeline = ?1
