-- The columns of the tables $1 (their oids) in attnum order, table by table, with the highest number
-- that any has had. Text of equal values is equal bytes for the types listed, for enums, and for text
-- under a deterministic collation. A partitioned table keeps no missing values of its own: a leaf's
-- stands in. A deferrable primary key is none for us: while it is deferred two rows may share it.
SELECT a.attname, a.attnum, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod),
       a.attnotnull,
       a.attgenerated <> '',
       a.atttypid < 16384,
       CASE WHEN base.typtype = 'e' THEN true
            WHEN base.oid IN ('text'::regtype, 'varchar'::regtype, 'name'::regtype)
              THEN coalesce((SELECT l.collisdeterministic FROM pg_collation l
                             WHERE l.oid = a.attcollation), true)
            ELSE base.oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'uuid'::regtype,
                              'bool'::regtype, 'oid'::regtype, 'date'::regtype, 'time'::regtype,
                              'timestamp'::regtype, 'timestamptz'::regtype, 'bytea'::regtype,
                              '"char"'::regtype, 'pg_lsn'::regtype) END,
       coalesce(array_position(pk.indkey, a.attnum), 0) AS primary_key_place,
       coalesce(array_position(ri.indkey::int2[], a.attnum) < ri.indnkeyatts, false)
         OR c.relreplident = 'f' AS is_identity,
       coalesce(
         CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END,
         CASE WHEN c.relkind = 'p' THEN
           (SELECT (leaf.attmissingval::text::text[])[1]
            FROM (WITH RECURSIVE member AS (
                    SELECT c.oid AS relid
                    UNION ALL
                    SELECT i.inhrelid FROM member JOIN pg_inherits i ON i.inhparent = member.relid)
                  SELECT relid FROM member) tree
            JOIN pg_attribute leaf ON leaf.attrelid = tree.relid AND leaf.attname = a.attname
            WHERE leaf.atthasmissing AND NOT leaf.attisdropped
            LIMIT 1) END),
       a.attrelid, c.relnatts
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type base ON base.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
LEFT JOIN LATERAL (
  SELECT (i.indkey::int2[])[0:i.indnkeyatts - 1] AS indkey  -- a slice starts at 1
  FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate LIMIT 1) pk ON true
LEFT JOIN LATERAL (
  SELECT i.indkey, i.indnkeyatts
  FROM pg_index i
  WHERE i.indrelid = c.oid AND i.indisvalid AND i.indisunique AND i.indimmediate
    AND i.indpred IS NULL
    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident
                            ELSE false END
  LIMIT 1) ri ON true
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
