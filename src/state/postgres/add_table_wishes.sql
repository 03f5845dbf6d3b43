-- What operators want of single tables. Added to version 1 where it is absent, without a version of its
-- own: other pipelines that share the schema may still be run by an older freshet, which needs none of
-- it. Whoever may write to the other tables may write to this one.
CREATE TABLE freshet_state.table_wish (
  pipeline text NOT NULL,   -- refers to nothing: a wish may come before the pipeline ever ran
  schema_name text NOT NULL,
  table_name text NOT NULL,
  wish text NOT NULL,
  PRIMARY KEY (pipeline, schema_name, table_name)
);

DO $$
DECLARE
  writer name;
BEGIN
  FOR writer IN
    SELECT pg_get_userbyid(c.relowner) FROM pg_class c
    WHERE c.oid = 'freshet_state.table_state'::regclass
    UNION
    SELECT pg_get_userbyid(a.grantee) FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = 'freshet_state.table_state'::regclass AND a.privilege_type = 'INSERT'
      AND a.grantee <> 0
  LOOP
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON freshet_state.table_wish TO %I', writer);
  END LOOP;
END
$$
