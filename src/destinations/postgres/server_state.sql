-- What decides whether a server can be a destination.
SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on',
       current_setting('synchronous_commit'), current_setting('synchronous_standby_names') <> '',
       current_database(), current_user
