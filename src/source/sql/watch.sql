-- What can change about tables (schemas $1, names $2) without the stream telling; publications $3.
-- By place: relation (null: there is none), whether it is published, its definition as in
-- definition.sql, the columns by name and type, their numbers, and for each heap
-- "oid:relfilenode:" followed by `a` if it became a partition after it was made, and `t` if it has no
-- statistics, as after TRUNCATE.
WITH published AS MATERIALIZED (  -- once, not for each table
  SELECT DISTINCT schemaname, tablename FROM pg_publication_tables WHERE pubname = ANY ($3::text[]))
SELECT c.oid,
       published.tablename IS NOT NULL,
       (SELECT md5(string_agg(attnum || ':' || xmin::text, ' ' ORDER BY attnum))
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0),
       (SELECT string_agg(quote_ident(attname) || ':' || atttypid || ':' || atttypmod, ' '
                          ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
       (SELECT string_agg(attnum::text, ' ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
       (WITH RECURSIVE member AS (
          SELECT c.oid AS relid, false AS is_attached
          UNION ALL
          SELECT i.inhrelid,
                 member.is_attached OR i.xmin::text <> (SELECT a.xmin::text FROM pg_attribute a
                                                        WHERE a.attrelid = i.inhrelid AND a.attnum = -1)
          FROM member
          JOIN pg_class parent ON parent.oid = member.relid AND parent.relkind = 'p'
          JOIN pg_inherits i ON i.inhparent = member.relid)
        SELECT string_agg(heap.oid || ':' || pg_relation_filenode(heap.oid) || ':'
                            || CASE WHEN is_attached THEN 'a' ELSE '' END
                            || CASE WHEN heap.reltuples < 0 THEN 't' ELSE '' END,
                          ' ' ORDER BY heap.oid)
        FROM member JOIN pg_class heap ON heap.oid = member.relid
        WHERE pg_relation_filenode(heap.oid) IS NOT NULL)
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w(schema, name, place)
LEFT JOIN pg_namespace n ON n.nspname = w.schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind IN ('r', 'p')
LEFT JOIN published ON published.schemaname = w.schema AND published.tablename = w.name
ORDER BY w.place
