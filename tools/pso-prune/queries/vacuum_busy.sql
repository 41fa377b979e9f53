-- Who is vacuuming a table now. PostgreSQL 13 to 18. Of others' sessions `relid` is told to members of pg_read_all_stats
-- only; for the rest the time-out of the lock speaks.
SELECT p.pid, coalesce(a.backend_type, '') = 'autovacuum worker' AS is_autovacuum
FROM pg_catalog.pg_stat_progress_vacuum AS p
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid
WHERE p.datname = pg_catalog.current_database() AND p.relid = $1
LIMIT 1
