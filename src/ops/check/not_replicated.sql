-- Objects of the database that logical replication does not carry: kind, how many, some names.
SELECT k.kind, count(*) AS object_count,
       (array_agg(k.name ORDER BY k.name))[1:5]::text AS names
FROM (
  SELECT CASE c.relkind WHEN 'S' THEN 'sequences' WHEN 'm' THEN 'materialized views'
                        WHEN 'v' THEN 'views' WHEN 'f' THEN 'foreign tables'
                        ELSE 'unlogged tables' END AS kind,
         c.oid::regclass::text AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'freshet', 'freshet_state')
    AND n.nspname NOT LIKE 'pg\_temp%' AND n.nspname NOT LIKE 'pg\_toast\_temp%'
    AND (c.relkind IN ('S', 'm', 'v', 'f') OR (c.relkind = 'r' AND c.relpersistence = 'u'))
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
  UNION ALL
  SELECT 'large objects', m.oid::text FROM pg_largeobject_metadata m
) AS k
GROUP BY k.kind ORDER BY k.kind
