-- How many more sessions the role may open in this database, and what limits them; not counting
-- those whose application_name begins with $1. Walsenders have places of their own, but count for
-- the limits of role and database.
WITH role AS (SELECT oid, rolname, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = current_user),
     session AS (
       SELECT a.datid, a.usesysid,
              a.pid IN (SELECT pid FROM pg_stat_get_wal_senders()) AS is_walsender
       FROM pg_stat_activity a
       WHERE a.usesysid IS NOT NULL AND a.datid IS NOT NULL AND a.pid <> pg_backend_pid()
         AND NOT starts_with(coalesce(a.application_name, ''), left($1::text, 63))),
     room AS (
       SELECT current_setting('max_connections')::int
                - CASE WHEN role.rolsuper THEN 0 ELSE
                    current_setting('superuser_reserved_connections')::int
                    + coalesce(current_setting('reserved_connections', true)::int, 0) END
                - (SELECT count(*) FROM session WHERE NOT is_walsender) AS free,
              'max_connections' AS what
       FROM role
       UNION ALL
       SELECT role.rolconnlimit - (SELECT count(*) FROM session WHERE usesysid = role.oid),
              'the CONNECTION LIMIT of role ' || quote_ident(role.rolname)
       FROM role WHERE role.rolconnlimit >= 0 AND NOT role.rolsuper
       UNION ALL
       SELECT d.datconnlimit - (SELECT count(*) FROM session WHERE datid = d.oid),
              'the CONNECTION LIMIT of database ' || quote_ident(d.datname)
       FROM role, pg_database d
       WHERE d.datname = current_database() AND d.datconnlimit >= 0 AND NOT role.rolsuper)
SELECT free, what FROM room ORDER BY free LIMIT 1
