-- PostgreSQL 13 to 18.
-- What counts against max_connections is client backends; walsenders and workers have limits of their own. Of other roles'
-- sessions a role without pg_read_all_stats sees neither state nor backend_type: a session with a role and a database counts
-- as a client's. Superusers have no limit of their own. A limit of 0 or less closes and is not used up.
WITH seen AS (
    SELECT
        a.datname,
        a.usename,
        a.application_name,
        a.state,
        a.state IS NULL AND a.backend_start IS NULL AS hidden,
        CASE WHEN a.state = 'idle' AND a.state_change IS NOT NULL
            THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change) * 1000)::int8 END AS idle_ms
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.backend_type = 'client backend'
       OR (a.backend_type IS NULL AND a.usename IS NOT NULL AND a.datname IS NOT NULL)
),
limited AS (
    SELECT
        'server' AS scope,
        NULL::name AS datname,
        NULL::name AS usename,
        NULL::text AS application_name,
        NULL::text AS object,
        pg_catalog.current_setting('max_connections')::int8
        - pg_catalog.current_setting('superuser_reserved_connections')::int8
        - coalesce(pg_catalog.current_setting('reserved_connections', true)::int8, 0) AS connection_limit
    UNION ALL
    SELECT 'database', d.datname, NULL, NULL, pg_catalog.quote_ident(d.datname), d.datconnlimit
    FROM pg_catalog.pg_database AS d
    WHERE d.datconnlimit > 0
    UNION ALL
    SELECT 'role', NULL, r.rolname, NULL, pg_catalog.quote_ident(r.rolname), r.rolconnlimit
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolconnlimit > 0 AND NOT r.rolsuper
    UNION ALL
    (
        SELECT 'holder', s.datname, s.usename, s.application_name, NULL, NULL
        FROM seen AS s
        GROUP BY s.datname, s.usename, s.application_name
        ORDER BY pg_catalog.count(*) DESC, s.usename, s.datname, s.application_name
        LIMIT 10
    )
),
counted AS (
    SELECT
        l.*,
        n.*
    FROM limited AS l
    CROSS JOIN LATERAL (
        SELECT
            pg_catalog.count(*) AS connections,
            pg_catalog.count(*) FILTER (WHERE s.state = 'active') AS active,
            pg_catalog.count(*) FILTER (WHERE s.state = 'idle') AS idle,
            pg_catalog.count(*) FILTER (WHERE s.state LIKE 'idle in transaction%') AS idle_in_transaction,
            pg_catalog.count(*) FILTER (WHERE s.hidden) AS hidden,
            pg_catalog.max(s.idle_ms) AS longest_idle_ms
        FROM seen AS s
        WHERE CASE l.scope
            WHEN 'database' THEN s.datname = l.datname
            WHEN 'role' THEN s.usename = l.usename
            WHEN 'holder' THEN (s.datname, s.usename, s.application_name)
                IS NOT DISTINCT FROM (l.datname, l.usename, l.application_name)
            ELSE true
        END
    ) AS n
)
SELECT
    c.scope,
    c.datname,
    c.usename,
    c.application_name,
    c.object,
    c.connections,
    c.connection_limit,
    CASE WHEN c.connection_limit > 0
        THEN pg_catalog.round(c.connections * 100.0 / c.connection_limit, 2) END AS used_percent,
    c.active,
    c.idle,
    c.idle_in_transaction,
    c.hidden,
    c.longest_idle_ms
FROM counted AS c
ORDER BY c.scope = 'server' DESC, used_percent DESC NULLS LAST, c.connections DESC, c.usename, c.datname, c.application_name
