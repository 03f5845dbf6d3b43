SELECT destination, lsn, checksum FROM position WHERE pipeline = ?1 ORDER BY destination
