INSERT INTO watched (pipeline, text, checksum) VALUES (?1, ?2, ?3)
ON CONFLICT (pipeline) DO UPDATE SET text = excluded.text, checksum = excluded.checksum
