-- PostgreSQL 10 to 18 (backend_type is new in 10). $1: seconds idle at least.
-- Other roles' sessions have no state for a role without pg_read_all_stats. The statement names the session's start and the
-- transaction's, so that it cannot hit another session that got the same pid, nor a transaction that began since.
SELECT
    a.pid,
    coalesce(a.usename::text, '') AS usename,
    coalesce(a.application_name, '') AS application_name,
    a.state,
    extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change)::float8 AS idle_s,
    extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 AS xact_s,
    pg_catalog.age(a.backend_xmin)::int8 AS xmin_age,
    pg_catalog.format(
        'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity '
        'WHERE pid = %s AND backend_start = %L AND xact_start = %L',
        a.pid, a.backend_start, a.xact_start
    ) AS sql
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database()
  AND a.backend_type = 'client backend'
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.state IN ('idle in transaction', 'idle in transaction (aborted)')
  AND a.state_change <= pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => $1::float8)
ORDER BY a.state_change
