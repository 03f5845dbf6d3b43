UPDATE pipeline SET publication = ?2 WHERE name = ?1
