-- One replication slot; columns that only newer versions have come through to_jsonb.
SELECT s.slot_name, s.plugin, s.database, s.slot_type = 'logical', s.temporary, s.active,
       s.active_pid, s.restart_lsn, s.confirmed_flush_lsn, s.wal_status, s.safe_wal_size,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                            ELSE pg_current_wal_lsn() END, s.restart_lsn)::bigint,
       coalesce((j.slot ->> 'two_phase')::boolean, false),
       coalesce((j.slot ->> 'failover')::boolean, false),
       coalesce(j.slot ->> 'invalidation_reason',
                CASE WHEN (j.slot ->> 'conflicting')::boolean THEN 'conflicting' END, '')
FROM pg_replication_slots s, LATERAL (SELECT to_jsonb(s)) AS j(slot)
WHERE s.slot_name = $1
