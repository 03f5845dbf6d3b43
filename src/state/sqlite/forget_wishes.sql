DELETE FROM table_wish WHERE pipeline = ?1
