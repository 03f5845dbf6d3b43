-- Of table $1 (its oid): what changes with any column's definition, and the files of its heaps. The
-- row versions of pg_attribute tell changes apart that leave no other trace, such as ALTER TYPE with
-- USING to the same type; neither VACUUM nor ANALYZE makes new ones.
WITH RECURSIVE member AS (
  SELECT $1::oid AS relid
  UNION ALL
  SELECT i.inhrelid FROM member
  JOIN pg_class parent ON parent.oid = member.relid AND parent.relkind = 'p'
  JOIN pg_inherits i ON i.inhparent = member.relid)
SELECT (SELECT coalesce(md5(string_agg(attnum || ':' || xmin::text, ' ' ORDER BY attnum)), '-')
        FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0),
       (SELECT coalesce(string_agg(relid || ':' || pg_relation_filenode(relid), ' ' ORDER BY relid), '')
        FROM member WHERE pg_relation_filenode(relid) IS NOT NULL)
