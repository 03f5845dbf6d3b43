-- What of the publications $2 may have been made or altered since the slot $1 has kept changes, as
-- pairs of publication and member ('' for the publication itself). A row that is older than the
-- oldest catalogue that the slot keeps was there all the time. (A negative age is that of a row so
-- old that transaction ids have gone half round since.)
WITH changed AS (
  SELECT p.pubname, '' AS member, p.xmin AS by FROM pg_publication p
  UNION ALL
  SELECT p.pubname, r.prrelid::regclass::text, r.xmin
  FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
)
SELECT c.pubname, c.member
FROM changed c, pg_replication_slots s
WHERE s.slot_name = $1 AND c.pubname = ANY ($2::text[])
  AND age(c.by) BETWEEN 0 AND age(s.catalog_xmin)
ORDER BY 1, 2
LIMIT 1
