-- The lane's session. A commit need not wait for the disk (what is durable is told by WAL positions).
-- Every statement finds its rows by their key: with plans fixed to that, neither missing statistics
-- nor the first five executions lead to a scan of the whole table.
SET synchronous_commit = off;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET plan_cache_mode = force_generic_plan
