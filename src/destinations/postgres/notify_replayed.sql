-- $1 pipeline, $2 channel, $3 tables: what notify.sql tells of a commit of the writer.
SELECT pg_notify($2::text, json_build_object('table', t.name, 'lsn', p.position::text)::text)
FROM freshet.progress p, unnest($3::text[]) AS t(name)
WHERE p.pipeline = $1
