-- Everything else hangs on this row.
DELETE FROM pipeline WHERE name = ?1
