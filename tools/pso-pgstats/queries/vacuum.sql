-- PostgreSQL 13 to 17. Takes no lock on the tables: statistics and catalogue only. Readable for every role; other roles'
-- sessions and workers only with pg_read_all_stats.
-- The settings are the server's: this session sets none of them. autovacuum_vacuum_insert_threshold = -1 is none.
WITH holders AS (
    SELECT
        greatest(pg_catalog.age(a.backend_xid), pg_catalog.age(a.backend_xmin))::int8 AS xid_age,
        CASE WHEN a.backend_type = 'walsender' THEN 'the standby ' || a.application_name ELSE 'pid ' || a.pid::text END AS holder,
        CASE WHEN a.backend_type = 'walsender' THEN 'standby' ELSE 'session' END AS holder_kind
    FROM pg_catalog.pg_stat_activity AS a
    WHERE (a.datname = pg_catalog.current_database() OR a.backend_type = 'walsender')
      AND a.pid <> pg_catalog.pg_backend_pid()
      AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)
      -- One vacuum does not hold back another.
      AND a.pid NOT IN (SELECT p.pid FROM pg_catalog.pg_stat_progress_vacuum AS p)
    UNION ALL
    SELECT pg_catalog.age(s.xmin)::int8, 'the slot ' || s.slot_name, 'slot'
    FROM pg_catalog.pg_replication_slots AS s
    WHERE s.xmin IS NOT NULL
    UNION ALL
    SELECT pg_catalog.age(x.transaction)::int8, 'the prepared transaction ' || x.gid, 'prepared'
    FROM pg_catalog.pg_prepared_xacts AS x
    WHERE x.database = pg_catalog.current_database()
),
horizon AS (
    SELECT h.xid_age, h.holder, h.holder_kind FROM holders AS h ORDER BY h.xid_age DESC, h.holder LIMIT 1
),
seen AS (
    SELECT
        t.*,
        c.relpersistence = 't' AS temporary,
        o.autovacuum_enabled,
        c.reltuples,
        coalesce(o.threshold, pg_catalog.current_setting('autovacuum_vacuum_threshold')::float8) AS threshold,
        coalesce(o.scale_factor, pg_catalog.current_setting('autovacuum_vacuum_scale_factor')::float8) AS scale_factor,
        coalesce(o.insert_threshold, pg_catalog.current_setting('autovacuum_vacuum_insert_threshold')::float8)
            AS insert_base,
        coalesce(o.insert_scale_factor, pg_catalog.current_setting('autovacuum_vacuum_insert_scale_factor')::float8)
            AS insert_scale_factor
    FROM pg_catalog.pg_stat_user_tables AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind IN ('r', 'm')
    CROSS JOIN LATERAL (
        SELECT
            pg_catalog.max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_enabled') AS autovacuum_enabled,
            pg_catalog.max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_threshold')::float8 AS threshold,
            pg_catalog.max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_scale_factor')::float8
                AS scale_factor,
            pg_catalog.max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_insert_threshold')::float8
                AS insert_threshold,
            pg_catalog.max(r.option_value) FILTER (WHERE r.option_name = 'autovacuum_vacuum_insert_scale_factor')::float8
                AS insert_scale_factor
        FROM pg_catalog.pg_options_to_table(c.reloptions) AS r
    ) AS o
),
counted AS (
    SELECT
        s.*,
        s.threshold + s.scale_factor * greatest(s.reltuples, 0) AS vacuum_threshold,
        CASE WHEN s.insert_base >= 0
            THEN s.insert_base + s.insert_scale_factor * greatest(s.reltuples, 0) END AS insert_threshold
    FROM seen AS s
)
SELECT
    s.schemaname,
    s.relname,
    pg_catalog.format('%I.%I', s.schemaname, s.relname) AS object,
    s.temporary,
    pg_catalog.current_setting('autovacuum')::bool AND coalesce(s.autovacuum_enabled::bool, true) AS autovacuum,
    s.autovacuum_enabled,
    s.n_live_tup,
    s.n_dead_tup,
    s.vacuum_threshold,
    pg_catalog.round((s.n_dead_tup * 100 / nullif(s.vacuum_threshold, 0))::numeric, 2)::float8 AS threshold_percent,
    s.n_ins_since_vacuum,
    s.insert_threshold,
    pg_catalog.round((s.n_ins_since_vacuum * 100 / nullif(s.insert_threshold, 0))::numeric, 2)::float8 AS insert_percent,
    s.last_vacuum AS last_vacuum_at,
    s.last_autovacuum AS last_autovacuum_at,
    (
        SELECT pg_catalog.min(p.pid)
        FROM pg_catalog.pg_stat_progress_vacuum AS p
        WHERE p.relid = s.relid
    ) AS worker_pid,
    h.xid_age AS horizon_age,
    h.holder AS horizon_holder,
    h.holder_kind AS horizon_kind
FROM counted AS s
LEFT JOIN horizon AS h ON true
ORDER BY threshold_percent DESC NULLS LAST, s.schemaname, s.relname
