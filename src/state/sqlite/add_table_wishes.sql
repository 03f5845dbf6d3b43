-- What operators want of single tables. Added to version 1 where it is absent, without a version of its
-- own: an older freshet goes on with such a file, and follows every table.
CREATE TABLE IF NOT EXISTS table_wish (
  pipeline TEXT NOT NULL,      -- refers to nothing: a wish may come before the pipeline ever ran
  schema_name TEXT NOT NULL,
  table_name TEXT NOT NULL,
  wish TEXT NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (pipeline, schema_name, table_name)
) STRICT, WITHOUT ROWID;
