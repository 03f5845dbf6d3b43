-- Schemas that publications $1 publish as a whole (15 and later), and what changes when one is taken out
-- and put in again.
SELECT n.nspname, string_agg(m.oid || ':' || m.xmin, ' ' ORDER BY m.oid)
FROM pg_publication_namespace m
JOIN pg_publication p ON p.oid = m.pnpubid
JOIN pg_namespace n ON n.oid = m.pnnspid
WHERE p.pubname = ANY ($1::text[])
GROUP BY n.nspname
