SELECT text, checksum FROM watched WHERE pipeline = ?1
