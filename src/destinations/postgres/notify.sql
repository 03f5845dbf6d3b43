-- $1 channel, $2 tables, $3 LSN: tells listeners which tables this commit touches.
SELECT pg_notify($1::text, json_build_object('table', t.name, 'lsn', $3::text)::text)
FROM unnest($2::text[]) AS t(name)
