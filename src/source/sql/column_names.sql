-- The names that the columns $2 (attribute numbers) of the relation $1 (its oid) have now, whatever the
-- transaction's snapshot; null where there is none.
SELECT (pg_identify_object_as_address('pg_class'::regclass, $1::oid, attnum)).object_names[3]
FROM unnest($2::int[]) WITH ORDINALITY wanted(attnum, place)
ORDER BY place
