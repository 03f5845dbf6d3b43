-- What the temporary view freshet_filter_probe uses: columns of $1 (a table's oid), and whether it
-- uses another relation, or the row as a whole (which leaves no trace of its columns).
SELECT a.attname, d.refobjid <> $1::oid,
       pg_get_viewdef('pg_temp.freshet_filter_probe'::regclass) LIKE '%.*%'
FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attnum > 0
WHERE d.classid = 'pg_rewrite'::regclass
  AND d.refclassid = 'pg_class'::regclass
  AND r.ev_class = 'pg_temp.freshet_filter_probe'::regclass
  AND d.refobjid <> r.ev_class
ORDER BY a.attnum
