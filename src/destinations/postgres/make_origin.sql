-- Origin $1, unless it is there.
SELECT pg_replication_origin_create($1)
WHERE NOT EXISTS (SELECT FROM pg_replication_origin WHERE roname = $1)
