-- Nobody may block a lease's renewal for long, and what was stored survives a crash of this server.
SET lock_timeout = '5s';
SET statement_timeout = '30s';
SELECT set_config('synchronous_commit', 'on', false)
WHERE current_setting('synchronous_commit') = 'off'
