-- The same of the schemas that are published as a whole (15 and later).
SELECT p.pubname, m.pnnspid::regnamespace::text
FROM pg_publication_namespace m JOIN pg_publication p ON p.oid = m.pnpubid, pg_replication_slots s
WHERE s.slot_name = $1 AND p.pubname = ANY ($2::text[])
  AND age(m.xmin) BETWEEN 0 AND age(s.catalog_xmin)
ORDER BY 1, 2
LIMIT 1
