INSERT INTO position (pipeline, destination, lsn, checksum) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (pipeline, destination) DO UPDATE SET lsn = excluded.lsn, checksum = excluded.checksum
