-- $1: JSON list of names. One row for each, found or not.
SELECT w.name, p.oid IS NOT NULL AS is_found, p.puballtables AS has_all_tables,
       p.pubinsert AS has_insert, p.pubupdate AS has_update, p.pubdelete AS has_delete,
       p.pubtruncate AS has_truncate
FROM json_array_elements_text($1::json) WITH ORDINALITY AS w(name, place)
LEFT JOIN pg_publication p ON p.pubname = w.name
ORDER BY w.place
