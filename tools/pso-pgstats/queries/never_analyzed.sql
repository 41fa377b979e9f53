-- PostgreSQL 10 to 18. Readable for every role; takes no lock on the tables. $1: rows at least.
-- reltuples is -1 until the first VACUUM or ANALYZE since 14; before, relpages was 0 until then. Where neither says so, the
-- missing times may also come from a reset of the statistics: certain is false.
SELECT
    pg_catalog.format('%I.%I', t.schemaname, t.relname) AS object,
    t.n_live_tup,
    c.reltuples::float8 AS reltuples,
    t.n_mod_since_analyze,
    CASE WHEN pg_catalog.current_setting('server_version_num')::int4 >= 140000
        THEN c.reltuples < 0 ELSE c.relpages = 0 END AS certain,
    pg_catalog.format('ANALYZE %I.%I', t.schemaname, t.relname) AS sql
FROM pg_catalog.pg_stat_user_tables AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
WHERE c.relpersistence <> 't'
  AND t.last_analyze IS NULL
  AND t.last_autoanalyze IS NULL
  AND greatest(t.n_live_tup::float8, c.reltuples::float8) >= $1::float8
ORDER BY t.n_live_tup DESC, object
