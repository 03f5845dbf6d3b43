-- Everything else but wishes hangs on this row.
DELETE FROM pipeline WHERE name = ?1
