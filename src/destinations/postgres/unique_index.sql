-- $1 schema, $2 table, $3 index: what makes its rows unique, a line per key column. The expression,
-- the operator that compares it, the condition that rows of the index fulfil, and whether NULLs are
-- equal there (15 and later).
SELECT pg_get_indexdef(i.indexrelid, k.place::integer, true),
       format('OPERATOR(%I.%s)', on_.nspname, o.oprname), pg_get_expr(i.indpred, i.indrelid, true),
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
CROSS JOIN LATERAL unnest(i.indclass::oid[]) WITH ORDINALITY AS k(opclass, place)
JOIN pg_opclass p ON p.oid = k.opclass
JOIN pg_amop m ON m.amopfamily = p.opcfamily AND m.amoplefttype = p.opcintype
  AND m.amoprighttype = p.opcintype AND m.amopstrategy = 3
JOIN pg_operator o ON o.oid = m.amopopr
JOIN pg_namespace on_ ON on_.oid = o.oprnamespace
WHERE n.nspname = $1 AND t.relname = $2 AND c.relname = $3 AND i.indisunique
  AND k.place <= i.indnkeyatts
ORDER BY k.place
