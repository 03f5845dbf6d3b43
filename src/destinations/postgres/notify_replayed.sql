-- $1 pipeline, $2 channel, $3 table: what notify.sql tells of a commit of the writer.
SELECT pg_notify($2::text, json_build_object('table', $3::text, 'lsn', position::text)::text)
FROM freshet.progress WHERE pipeline = $1
