-- Tables of the state that our role may not write to.
SELECT count(*)
FROM pg_class c
WHERE c.relnamespace = to_regnamespace('freshet_state') AND c.relkind = 'r'
  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
           AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
