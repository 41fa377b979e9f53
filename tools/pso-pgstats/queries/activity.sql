-- PostgreSQL 13 to 18.
-- All client connections to this database except our own, each as one record beside what decides whether it is shown; the
-- text of idle ones is not fetched, they are only counted. Beside them whatever else is in a transaction here, as parallel
-- workers and background workers of extensions are; autovacuum and those who send WAL are told by other sections.
-- query_id is there from 14 on. pg_blocking_pids stops the lock manager for a moment, so it is asked only of who waits.
-- Of other roles' sessions a role without pg_read_all_stats sees the query '<insufficient privilege>' and little else: no
-- state and no backend_type either, so that a session with a user counts as a client's. greatest() passes over NULL, so
-- what has not begun is left out before it.
WITH seen AS (
    SELECT
        a.pid,
        a.datname,
        a.usename,
        a.application_name,
        pg_catalog.host(a.client_addr) AS client_addr,
        a.backend_type,
        a.leader_pid,
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
        pg_catalog.age(a.backend_xid)::int8 AS xid_age,
        a.wait_event_type || ':' || a.wait_event AS wait_event,
        CASE WHEN a.wait_event_type = 'Lock' THEN pg_catalog.pg_blocking_pids(a.pid) ELSE '{}' END AS blocked_by,
        CASE WHEN a.state <> 'idle' THEN pg_catalog.to_jsonb(a) ->> 'query_id' END AS query_id,
        CASE WHEN a.state <> 'idle' THEN pg_catalog.left(a.query, 1000) END AS query
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database()
      AND (
          a.backend_type = 'client backend'
          OR (a.backend_type IS NULL AND a.usename IS NOT NULL)
          OR (a.xact_start IS NOT NULL AND a.backend_type NOT IN ('walsender', 'autovacuum worker'))
      )
      AND a.pid <> pg_catalog.pg_backend_pid()
)
SELECT
    CASE WHEN s.state IS DISTINCT FROM 'idle' THEN pg_catalog.row_to_json(s) END AS activity,
    s.state,
    coalesce(s.backend_type = 'client backend', true) AS client,
    s.state IS NULL AND s.backend_start IS NULL AS hidden
FROM seen AS s
ORDER BY s.state = 'active' DESC NULLS LAST, s.query_start NULLS LAST, s.pid
