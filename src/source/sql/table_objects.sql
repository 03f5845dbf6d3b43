-- What belongs to the tables $1 (their oids) and is in no stream, table by table, in the order in
-- which it can be made. Expressions come qualified, as the session's search_path is empty. The last
-- column: numbers of the columns whose values the object judges.
WITH wanted AS (
  SELECT c.oid AS relation, c.relname, c.relreplident, n.nspname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = ANY ($1::oid[])
), owned AS (
  SELECT w.relation, d.refobjsubid AS attnum, d.objid AS sequence, d.deptype = 'i' AS is_identity
  FROM wanted w
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = w.relation
    AND d.refobjsubid > 0 AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
), used AS (
  SELECT relation, attnum, sequence, is_identity FROM owned
  UNION ALL
  SELECT DISTINCT w.relation, NULL::integer, s.oid, false
  FROM wanted w
  JOIN pg_attrdef ad ON ad.adrelid = w.relation
  JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid
    AND d.refclassid = 'pg_class'::regclass
  JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
  WHERE NOT EXISTS (SELECT FROM owned o WHERE o.sequence = s.oid AND o.relation = w.relation)
    -- An identity's comes with its column alone.
    AND NOT EXISTS (SELECT FROM pg_depend i
                    WHERE i.classid = 'pg_class'::regclass AND i.objid = s.oid AND i.deptype = 'i')
), sequences AS (
  SELECT u.*, a.attname, n.nspname, s.relname, format_type(q.seqtypid, NULL) AS type,
         format('INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s CYCLE',
                q.seqincrement, q.seqmin, q.seqmax, q.seqstart, q.seqcache,
                CASE WHEN q.seqcycle THEN '' ELSE ' NO' END) AS options,
         CASE WHEN has_sequence_privilege(s.oid, 'SELECT, USAGE')
              THEN pg_sequence_last_value(s.oid)::text ELSE '' END AS value
  FROM used u
  JOIN pg_class s ON s.oid = u.sequence
  JOIN pg_namespace n ON n.oid = s.relnamespace
  JOIN pg_sequence q ON q.seqrelid = u.sequence
  LEFT JOIN pg_attribute a ON a.attrelid = u.relation AND a.attnum = u.attnum
), indexes AS (
  SELECT w.relation, ic.relname, i.indisunique, i.indexrelid, k.oid AS key,
         pg_get_indexdef(i.indexrelid) AS definition,
         format('CREATE %sINDEX %I ON %s%I.%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' END,
                ic.relname, CASE WHEN ic.relkind = 'I' THEN 'ONLY ' END, w.nspname, w.relname)
           AS beginning
  FROM wanted w
  JOIN pg_index i ON i.indrelid = w.relation AND i.indisvalid AND NOT i.indisprimary
  JOIN pg_class ic ON ic.oid = i.indexrelid
  LEFT JOIN pg_constraint k
    ON k.conrelid = w.relation AND k.conindid = i.indexrelid AND k.contype IN ('u', 'x')
  WHERE k.oid IS NULL OR (k.contype = 'u' AND NOT k.condeferrable AND NOT i.indisexclusion)
), constraints AS (
  SELECT w.relation, k.oid, k.contype, k.conname, k.convalidated, n.nspname AS other_schema,
         o.relname AS other_table, pg_get_constraintdef(k.oid) AS definition,
         EXISTS (SELECT FROM indexes i WHERE i.key = k.oid) AS has_own_index
  FROM wanted w
  JOIN pg_constraint k ON k.conrelid = w.relation AND k.conparentid = 0
    AND k.contype IN ('u', 'x', 'c', 'f')
  LEFT JOIN pg_class o ON o.oid = k.confrelid
  LEFT JOIN pg_namespace n ON n.oid = o.relnamespace
), judged AS (
  SELECT w.relation, d.classid, d.objid, string_agg(DISTINCT d.refobjsubid::text, ' ') AS attnums
  FROM wanted w
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = w.relation
    AND d.refobjsubid > 0 AND d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass)
  GROUP BY 1, 2, 3
), objects AS (
  SELECT relation, 1 AS step, 'sequence' AS kind, attname::text AS name,
         'AS ' || type || ' ' || options AS definition, nspname::text AS other_schema,
         relname::text AS other_table, NULL AS attnums
  FROM sequences WHERE NOT is_identity
  UNION ALL
  SELECT relation, 2, 'identity', attname, format('SEQUENCE NAME %I.%I %s', nspname, relname, options),
         nspname, relname, NULL
  FROM sequences WHERE is_identity
  UNION ALL
  SELECT relation, 3, 'sequence_value', attname, value, nspname, relname, NULL
  FROM sequences WHERE value IS NOT NULL
  UNION ALL
  SELECT w.relation, 4, 'default', a.attname, pg_get_expr(ad.adbin, ad.adrelid), NULL, NULL, NULL
  FROM wanted w
  JOIN pg_attrdef ad ON ad.adrelid = w.relation
  JOIN pg_attribute a ON a.attrelid = w.relation AND a.attnum = ad.adnum AND a.attgenerated = ''
  UNION ALL
  SELECT i.relation, CASE WHEN i.indisunique THEN 5 ELSE 6 END,
         CASE WHEN i.indisunique THEN 'unique_index' ELSE 'index' END, i.relname,
         CASE WHEN starts_with(i.definition, i.beginning)
              THEN substr(i.definition, length(i.beginning) + 1) END,
         NULL, NULL, CASE WHEN i.indisunique THEN j.attnums END
  FROM indexes i
  LEFT JOIN judged j
    ON j.relation = i.relation AND j.objid = coalesce(i.key, i.indexrelid)
    AND j.classid = CASE WHEN i.key IS NULL THEN 'pg_class' ELSE 'pg_constraint' END::regclass
  UNION ALL
  SELECT k.relation, CASE WHEN k.contype = 'f' THEN 10 ELSE 7 END,
         CASE WHEN k.contype = 'f' THEN 'foreign_key' ELSE 'constraint' END, k.conname,
         CASE WHEN k.has_own_index
              THEN format('UNIQUE USING INDEX %I', k.conname)
              WHEN k.contype IN ('c', 'f') AND k.convalidated THEN k.definition || ' NOT VALID'
              ELSE k.definition END,
         k.other_schema, k.other_table, j.attnums
  FROM constraints k
  LEFT JOIN judged j
    ON j.relation = k.relation AND j.objid = k.oid AND j.classid = 'pg_constraint'::regclass
  UNION ALL
  SELECT k.relation, CASE WHEN k.contype = 'f' THEN 11 ELSE 8 END, 'validation', k.conname, '',
         k.other_schema, k.other_table, j.attnums
  FROM constraints k
  LEFT JOIN judged j
    ON j.relation = k.relation AND j.objid = k.oid AND j.classid = 'pg_constraint'::regclass
  WHERE k.contype IN ('c', 'f') AND k.convalidated
  UNION ALL
  SELECT w.relation, 9, 'replica_identity', '',
         CASE w.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
              ELSE format('USING INDEX %I', ic.relname) END, NULL, NULL, NULL
  FROM wanted w
  LEFT JOIN pg_index i ON i.indrelid = w.relation AND i.indisreplident
  LEFT JOIN pg_class ic ON ic.oid = i.indexrelid
  WHERE w.relreplident IN ('f', 'n') OR (w.relreplident = 'i' AND NOT i.indisprimary)
)
SELECT relation, kind, coalesce(name, ''), coalesce(definition, ''), coalesce(other_schema, ''),
       coalesce(other_table, ''), coalesce(attnums, '')
FROM objects ORDER BY relation, step, name, other_schema, other_table
