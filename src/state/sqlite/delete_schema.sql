-- Its columns go with it.
DELETE FROM table_schema WHERE pipeline = ?1 AND schema_name = ?2 AND table_name = ?3
