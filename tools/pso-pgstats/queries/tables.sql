-- PostgreSQL 10 to 18. Takes no lock on the tables: statistics only. Readable for every role.
SELECT
    t.schemaname::text,
    t.relname::text,
    t.n_tup_ins,
    t.n_tup_upd,
    t.n_tup_del,
    t.n_live_tup,
    t.n_dead_tup,
    t.seq_scan,
    t.idx_scan,
    extract(epoch FROM greatest(t.last_vacuum, t.last_autovacuum))::float8 AS last_vacuum,
    extract(epoch FROM greatest(t.last_analyze, t.last_autoanalyze))::float8 AS last_analyze
FROM pg_catalog.pg_stat_user_tables AS t
ORDER BY t.n_live_tup DESC, t.schemaname, t.relname
