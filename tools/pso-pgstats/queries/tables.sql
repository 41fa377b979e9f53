-- PostgreSQL 13 to 18. Takes no lock on the tables: statistics and catalogue only. Readable for every role.
SELECT
    t.schemaname,
    t.relname,
    pg_catalog.format('%I.%I', t.schemaname, t.relname) AS object,
    c.relkind,
    c.relpersistence = 't' AS temporary,
    t.n_tup_ins,
    t.n_tup_upd,
    t.n_tup_del,
    t.n_live_tup,
    t.n_dead_tup,
    CASE WHEN t.n_live_tup > 0
        THEN pg_catalog.round(t.n_dead_tup::numeric * 100 / t.n_live_tup, 2) END AS dead_percent,
    t.n_mod_since_analyze,
    c.reltuples::float8 AS reltuples,
    c.relpages::int8 AS relpages,
    t.seq_scan,
    t.idx_scan,
    greatest(t.last_vacuum, t.last_autovacuum) AS last_vacuum_at,
    greatest(t.last_analyze, t.last_autoanalyze) AS last_analyze_at
FROM pg_catalog.pg_stat_user_tables AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
ORDER BY t.n_live_tup DESC, t.schemaname, t.relname
