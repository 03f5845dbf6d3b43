-- Of the tables $1 (their oids), as of one moment: what changes with any column's definition, then
-- the oid of the primary key; and the files of their heaps. watch.sql computes the same. The row
-- versions of pg_attribute tell changes apart that leave no other trace, such as ALTER TYPE with
-- USING to the same type; neither VACUUM nor ANALYZE makes new ones. (pg_relation_filenode() would
-- not look at the query's snapshot, but at what is committed by then.)
SELECT (SELECT coalesce(md5(string_agg(attnum || ':' || xmin::text, ' ' ORDER BY attnum)), '-')
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0)
         || ' ' || coalesce((SELECT oid FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p'), 0),
       c.oid,
       (WITH RECURSIVE member AS (
          SELECT c.oid AS relid
          UNION ALL
          SELECT i.inhrelid FROM member
          JOIN pg_class parent ON parent.oid = member.relid AND parent.relkind = 'p'
          JOIN pg_inherits i ON i.inhparent = member.relid)
        SELECT coalesce(string_agg(heap.oid || ':' || heap.relfilenode, ' ' ORDER BY heap.oid), '')
        FROM member JOIN pg_class heap ON heap.oid = member.relid
        WHERE heap.relkind IN ('r', 'm') AND heap.relfilenode <> 0)
FROM unnest($1::oid[]) c(oid)
