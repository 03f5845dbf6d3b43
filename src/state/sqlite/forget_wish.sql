-- Not one that has taken its place.
DELETE FROM table_wish WHERE pipeline = ?1 AND schema_name = ?2 AND table_name = ?3 AND wish = ?4
