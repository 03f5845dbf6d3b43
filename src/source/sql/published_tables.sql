-- All tables of the publications named in $1.
SELECT DISTINCT schemaname, tablename
FROM pg_publication_tables WHERE pubname = ANY ($1::text[])
ORDER BY 1, 2
