INSERT INTO table_state (pipeline, destination, schema_name, table_name, phase, reason, checksum)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (pipeline, destination, schema_name, table_name) DO UPDATE
SET phase = excluded.phase, reason = excluded.reason, checksum = excluded.checksum
