-- Of table $1 (its oid): what changes with any column's definition, then the oid of its primary key;
-- watch.sql computes the same. The row versions of pg_attribute tell changes apart that leave no other
-- trace, such as ALTER TYPE with USING to the same type; neither VACUUM nor ANALYZE makes new ones.
SELECT coalesce(md5(string_agg(attnum || ':' || xmin::text, ' ' ORDER BY attnum)), '-')
       || ' ' || coalesce((SELECT oid FROM pg_constraint WHERE conrelid = $1::oid AND contype = 'p'), 0)
FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0
