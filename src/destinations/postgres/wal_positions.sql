SELECT pg_current_wal_insert_lsn(), pg_current_wal_flush_lsn(),
       current_setting('synchronous_standby_names') <> ''
