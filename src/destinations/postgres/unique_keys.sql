-- $1 relation oid: its unique indexes that ON CONFLICT can use, a line per column, with the
-- equality operator of the column's operator class, and whether both tell all texts apart.
SELECT i.indexrelid, i.indisprimary, i.indnkeyatts, a.attname,
       format('OPERATOR(%I.%s)', on_.nspname, o.oprname),
       NOT EXISTS (SELECT FROM pg_collation l
                   WHERE l.oid IN (k.collation_id, a.attcollation) AND NOT l.collisdeterministic)
FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[])
  WITH ORDINALITY AS k(attnum, opclass, collation_id, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
JOIN pg_opclass c ON c.oid = k.opclass
JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype
  AND m.amoprighttype = c.opcintype AND m.amopstrategy = 3
JOIN pg_operator o ON o.oid = m.amopopr
JOIN pg_namespace on_ ON on_.oid = o.oprnamespace
WHERE i.indrelid = $1::oid AND i.indisunique AND i.indimmediate AND i.indisvalid
  AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
ORDER BY i.indisprimary DESC, i.indexrelid, k.place
