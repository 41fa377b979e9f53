-- PostgreSQL 13 to 18.
-- All client connections to this database except our own, each as one record beside what decides whether it is shown; the
-- text of idle ones is not fetched, they are only counted.
-- Of other roles' sessions a role without pg_read_all_stats sees the query '<insufficient privilege>' and little else: no
-- state and no backend_type either, so that a session with a user counts as a client's. greatest() passes over NULL, so
-- what has not begun is left out before it.
WITH seen AS (
    SELECT
        a.pid,
        a.datname,
        a.usename,
        a.application_name,
        a.state,
        a.backend_start,
        a.xact_start,
        a.query_start,
        CASE WHEN a.query_start IS NOT NULL
            THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start) * 1000)::int8 END AS query_ms,
        CASE WHEN a.xact_start IS NOT NULL
            THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000)::int8 END AS xact_ms,
        CASE WHEN a.state_change IS NOT NULL
            THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change) * 1000)::int8 END AS state_ms,
        pg_catalog.age(a.backend_xmin)::int8 AS xmin_age,
        a.wait_event_type || ':' || a.wait_event AS wait_event,
        CASE WHEN a.state <> 'idle' THEN pg_catalog.left(a.query, 1000) END AS query
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database()
      AND (a.backend_type = 'client backend' OR (a.backend_type IS NULL AND a.usename IS NOT NULL))
      AND a.pid <> pg_catalog.pg_backend_pid()
)
SELECT
    CASE WHEN s.state IS DISTINCT FROM 'idle' THEN pg_catalog.row_to_json(s) END AS activity,
    s.state,
    s.state IS NULL AND s.backend_start IS NULL AS hidden
FROM seen AS s
ORDER BY s.state = 'active' DESC NULLS LAST, s.query_start NULLS LAST, s.pid
