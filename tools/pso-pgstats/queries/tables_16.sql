-- PostgreSQL 16 and 17. Takes no lock on the tables: statistics and catalogue only. Readable for every role.
SELECT
    t.schemaname,
    t.relname,
    pg_catalog.format('%I.%I', t.schemaname, t.relname) AS object,
    c.relkind,
    c.relpersistence = 't' AS temporary,
    t.n_tup_ins,
    t.n_tup_upd,
    t.n_tup_hot_upd,
    t.n_tup_newpage_upd,
    t.n_tup_del,
    t.n_live_tup,
    t.n_dead_tup,
    CASE WHEN t.n_live_tup > 0
        THEN pg_catalog.round(t.n_dead_tup::numeric * 100 / t.n_live_tup, 2) END AS dead_percent,
    CASE WHEN c.relkind = 'p' AND NOT c.relispartition THEN (
        WITH RECURSIVE parts (oid) AS (
            SELECT h.inhrelid FROM pg_catalog.pg_inherits AS h WHERE h.inhparent = t.relid
            UNION ALL
            SELECT h.inhrelid FROM parts AS p JOIN pg_catalog.pg_inherits AS h ON h.inhparent = p.oid
        )
        SELECT pg_catalog.sum(pg_catalog.pg_stat_get_live_tuples(p.oid))::int8 FROM parts AS p
    ) END AS partitions_live_tup,
    t.n_mod_since_analyze,
    t.n_ins_since_vacuum,
    c.reltuples::float8 AS reltuples,
    c.relpages::int8 AS relpages,
    t.seq_scan,
    t.seq_tup_read,
    t.idx_scan,
    t.idx_tup_fetch,
    t.last_seq_scan AS last_seq_scan_at,
    t.last_idx_scan AS last_idx_scan_at,
    i.heap_blks_read,
    i.heap_blks_hit,
    i.idx_blks_read::int8 AS idx_blks_read,
    i.idx_blks_hit::int8 AS idx_blks_hit,
    CASE WHEN c.reltoastrelid <> 0 THEN i.toast_blks_read END AS toast_blks_read,
    CASE WHEN c.reltoastrelid <> 0 THEN i.toast_blks_hit END AS toast_blks_hit,
    greatest(t.last_vacuum, t.last_autovacuum) AS last_vacuum_at,
    greatest(t.last_analyze, t.last_autoanalyze) AS last_analyze_at,
    CASE
        WHEN t.last_analyze IS NOT NULL OR t.last_autoanalyze IS NOT NULL THEN NULL
        WHEN EXISTS (
            SELECT 1 FROM pg_catalog.pg_stats AS st WHERE st.schemaname = t.schemaname AND st.tablename = t.relname
        ) THEN true
        -- Others see no statistics, whether there are any or not.
        WHEN pg_catalog.has_table_privilege(t.relid, 'SELECT') AND NOT pg_catalog.row_security_active(t.relid) THEN false
    END AS planner_statistics,
    t.vacuum_count,
    t.autovacuum_count,
    t.analyze_count,
    t.autoanalyze_count
FROM pg_catalog.pg_stat_user_tables AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
LEFT JOIN pg_catalog.pg_statio_user_tables AS i ON i.relid = t.relid
ORDER BY t.n_dead_tup DESC, t.n_live_tup DESC, t.schemaname, t.relname
