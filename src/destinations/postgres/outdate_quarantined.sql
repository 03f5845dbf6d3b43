-- $1 pipeline, $2 schema, $3 table, $4 names of columns, $5 what says that it is not to be replayed.
UPDATE freshet.quarantine SET addressing = $5
WHERE pipeline = $1 AND schema = $2 AND "table" = $3
  AND (before::jsonb ?| $4::text[] OR after::jsonb ?| $4::text[] OR unchanged::jsonb ?| $4::text[]
       OR key_columns::jsonb ?| $4::text[])
