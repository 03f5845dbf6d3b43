-- All tables of the publications named in $1, without those that Freshet's own state is in.
SELECT DISTINCT schemaname, tablename
FROM pg_publication_tables WHERE pubname = ANY ($1::text[]) AND schemaname <> 'freshet_state'
ORDER BY 1, 2
