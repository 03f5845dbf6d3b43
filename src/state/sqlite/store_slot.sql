INSERT OR REPLACE INTO slot
  (pipeline, system_identifier, timeline, slot_name, consistent_point, epoch, checksum)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
