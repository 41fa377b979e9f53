-- PostgreSQL 10 to 18 (backend_type is new in 10).
-- All client connections to this database except our own; the text of idle ones is not fetched, they are only counted.
-- Of other roles' sessions a role without pg_read_all_stats sees the query '<insufficient privilege>' and little else: no
-- state and no backend_type either, so that a session with a user counts as a client's.
SELECT
    a.pid,
    a.datname::text,
    a.usename::text,
    a.application_name,
    a.state,
    extract(epoch FROM a.query_start)::float8 AS query_start,
    (extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start) * 1000)::float8 AS query_ms,
    (extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000)::float8 AS xact_ms,
    a.wait_event_type || ':' || a.wait_event AS wait_event,
    CASE WHEN a.state <> 'idle' THEN pg_catalog.left(a.query, 1000) END AS query,
    coalesce(a.query = '<insufficient privilege>', false) AS hidden
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database()
  AND (a.backend_type = 'client backend' OR (a.backend_type IS NULL AND a.usename IS NOT NULL))
  AND a.pid <> pg_catalog.pg_backend_pid()
ORDER BY a.state = 'active' DESC NULLS LAST, a.query_start NULLS LAST, a.pid
