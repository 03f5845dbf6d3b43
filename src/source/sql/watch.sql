-- What can change about tables (schemas $1, names $2) without the stream telling; publications $3.
-- By place: relation (null: there is none); how it is published (null: it is not), by the versions of
-- the rows that say so: what was altered and altered back was different meanwhile; whether by name;
-- whether we may read all of its rows, those of its leaves too; its definition as in definition.sql;
-- the columns by name and type, their numbers (with a `g` where they are generated) and the highest
-- that any has had, and the labels of their enums as "oid:label" and a line's end each; for each heap
-- "oid:relfilenode:xmin:" followed by `a` if it became a partition after it was made, `t` if it has no
-- statistics, as after TRUNCATE, and `u` if it is unlogged; then, of a partition, ":" and what changes
-- when it, or one that it is in, is detached and attached again. (A partition may be published by what
-- it is in.)
WITH published AS MATERIALIZED (  -- once, not for each table
  SELECT DISTINCT schemaname, tablename FROM pg_publication_tables WHERE pubname = ANY ($3::text[]))
SELECT c.oid,
       CASE WHEN published.tablename IS NOT NULL THEN
         (SELECT md5(string_agg(concat_ws(' ', p.oid, p.xmin, r.xmin), ',' ORDER BY p.oid))
          FROM pg_publication p
          LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
          WHERE p.pubname = ANY ($3::text[]))
         || CASE WHEN c.relispartition THEN
              (WITH RECURSIVE ancestor AS (
                 SELECT c.oid AS relid, true AS relispartition
                 UNION ALL
                 SELECT parent.oid, parent.relispartition
                 FROM ancestor
                 JOIN pg_inherits i ON i.inhrelid = ancestor.relid AND ancestor.relispartition
                 JOIN pg_class parent ON parent.oid = i.inhparent)
               SELECT coalesce(string_agg(' ' || r.oid || ':' || r.xmin, '' ORDER BY r.oid), '')
               FROM ancestor
               JOIN pg_publication_rel r ON r.prrelid = ancestor.relid AND r.prrelid <> c.oid
               JOIN pg_publication p ON p.oid = r.prpubid AND p.pubname = ANY ($3::text[]))
            ELSE '' END END,
       EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
               WHERE r.prrelid = c.oid AND p.pubname = ANY ($3::text[])),
       c.oid IS NOT NULL AND has_schema_privilege(n.oid, 'USAGE')
         AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid)
         AND (c.relkind <> 'p' OR NOT EXISTS (
           WITH RECURSIVE member AS (
             SELECT c.oid AS relid, c.relkind
             UNION ALL
             SELECT child.oid, child.relkind
             FROM member
             JOIN pg_inherits i ON i.inhparent = member.relid AND member.relkind = 'p'
             JOIN pg_class child ON child.oid = i.inhrelid)
           SELECT FROM member
           WHERE relkind IN ('r', 'p')
             AND (NOT has_table_privilege(relid, 'SELECT') OR row_security_active(relid)))),
       coalesce(attribute.versions, '-')
         || ' ' || coalesce((SELECT oid FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p'), 0),
       attribute.definitions,
       attribute.numbers || ' ' || c.relnatts,
       CASE WHEN attribute.may_have_enums THEN
         (SELECT string_agg(DISTINCT e.oid || ':' || e.enumlabel || E'\n', '')
          FROM pg_attribute a
          JOIN pg_type t ON t.oid = a.atttypid
          JOIN pg_enum e ON e.enumtypid IN (t.oid, t.typelem, t.typbasetype)
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND t.oid >= 16384) END,
       CASE WHEN c.relkind = 'r' AND c.relfilenode <> 0 THEN
         c.oid || ':' || c.relfilenode || ':' || c.xmin || ':'
           || CASE WHEN c.reltuples < 0 THEN 't' ELSE '' END
           || CASE WHEN c.relpersistence <> 'p' THEN 'u' ELSE '' END
       ELSE
         (WITH RECURSIVE member AS (
            SELECT c.oid AS relid, false AS is_attached, '' AS path
            UNION ALL
            SELECT i.inhrelid,
                   member.is_attached OR i.xmin::text <> (SELECT a.xmin::text FROM pg_attribute a
                                                          WHERE a.attrelid = i.inhrelid AND a.attnum = -1),
                   member.path || ':' || i.xmin
            FROM member
            JOIN pg_class parent ON parent.oid = member.relid AND parent.relkind = 'p'
            JOIN pg_inherits i ON i.inhparent = member.relid)
          SELECT string_agg(heap.oid || ':' || heap.relfilenode || ':' || heap.xmin || ':'
                              || CASE WHEN is_attached THEN 'a' ELSE '' END
                              || CASE WHEN heap.reltuples < 0 THEN 't' ELSE '' END
                              || CASE WHEN heap.relpersistence <> 'p' THEN 'u' ELSE '' END
                              || path,
                            ' ' ORDER BY heap.oid)
          FROM member JOIN pg_class heap ON heap.oid = member.relid
          WHERE heap.relfilenode <> 0) END
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w(schema, name, place)
LEFT JOIN pg_namespace n ON n.nspname = w.schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p')
LEFT JOIN published ON published.schemaname = w.schema AND published.tablename = w.name
LEFT JOIN LATERAL (  -- in one pass, in order
  SELECT md5(string_agg(attnum || ':' || xmin::text, ' ')) AS versions,
         string_agg(quote_ident(attname) || ':' || atttypid || ':' || atttypmod, ' ')
           FILTER (WHERE NOT attisdropped) AS definitions,
         string_agg(attnum || CASE WHEN attgenerated <> '' THEN 'g' ELSE '' END, ' ')
           FILTER (WHERE NOT attisdropped) AS numbers,
         bool_or(atttypid >= 16384) AS may_have_enums
  FROM (SELECT xmin, * FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 ORDER BY attnum) a
) attribute ON true
ORDER BY w.place
