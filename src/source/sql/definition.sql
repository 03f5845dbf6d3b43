-- Of the tables $1 (their oids): what changes with any column's definition, then the oid of the
-- primary key; watch.sql computes the same. The row versions of pg_attribute tell changes apart that
-- leave no other trace, such as ALTER TYPE with USING to the same type; neither VACUUM nor ANALYZE
-- makes new ones.
SELECT (SELECT coalesce(md5(string_agg(attnum || ':' || xmin::text, ' ' ORDER BY attnum)), '-')
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0)
         || ' ' || coalesce((SELECT oid FROM pg_constraint WHERE conrelid = c.oid AND contype = 'p'), 0),
       c.oid
FROM unnest($1::oid[]) c(oid)
