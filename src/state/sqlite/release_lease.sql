UPDATE pipeline SET holder_host = NULL WHERE name = ?1
