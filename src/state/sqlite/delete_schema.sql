-- Its columns go with it.
DELETE FROM table_schema
WHERE pipeline = ?1 AND destination = ?2 AND schema_name = ?3 AND table_name = ?4
