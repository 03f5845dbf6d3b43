-- $1 types as SQL: for each, in order, whether this server has it.
SELECT to_regtype(t.name) IS NOT NULL
FROM unnest($1::text[]) WITH ORDINALITY AS t(name, place) ORDER BY t.place
