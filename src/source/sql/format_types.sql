-- Types as SQL for pairs of type ($1) and modifier ($2); NULL for one that is gone.
SELECT CASE WHEN t.oid IS NOT NULL THEN format_type(p.type, p.modifier) END
FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS p(type, modifier, place)
LEFT JOIN pg_type t ON t.oid = p.type
ORDER BY p.place
