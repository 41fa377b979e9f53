-- Extension pg_stat_statements 1.4 to 1.7 (PostgreSQL 10 to 12, and newer servers on which it was never updated).
-- {schema} is the quoted schema of the extension. $1: milliseconds on average, $2: rows at most.
-- Other roles' statements have no queryid for a role without pg_read_all_stats: they are only counted. Always gives a row,
-- so that the count is there when nothing is visible.
WITH slow AS (
    SELECT s.queryid, s.query, s.calls, s.total_time AS total_ms, s.mean_time AS mean_ms, s.rows
    FROM {schema}.pg_stat_statements AS s
    WHERE s.mean_time > $1::float8
      AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
)
SELECT
    v.queryid::text,
    pg_catalog.left(v.query, 1000) AS query,
    v.calls,
    v.total_ms,
    v.mean_ms,
    v.rows,
    (SELECT pg_catalog.count(*) FROM slow AS s WHERE s.queryid IS NOT NULL) AS visible,
    (SELECT pg_catalog.count(*) FROM slow AS s WHERE s.queryid IS NULL) AS hidden
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT s.* FROM slow AS s WHERE s.queryid IS NOT NULL ORDER BY s.mean_ms DESC LIMIT $2::int8
) AS v ON true
ORDER BY v.mean_ms DESC NULLS LAST
