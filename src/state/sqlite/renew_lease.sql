UPDATE pipeline SET renewed_at_ms = ?2 WHERE name = ?1
