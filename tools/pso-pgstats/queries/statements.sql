-- Extension pg_stat_statements 1.8 and newer (PostgreSQL 13 to 18).
-- {schema} is the quoted schema of the extension. $1: milliseconds on average, $2: rows at most.
-- Other roles' statements have no queryid for a role without pg_read_all_stats: they are only counted. Always gives a row,
-- so that the count is there when nothing is visible.
WITH slow AS (
    SELECT s.queryid, s.query, s.calls, s.total_exec_time AS total_ms, s.mean_exec_time AS mean_ms, s.rows
    FROM {schema}.pg_stat_statements AS s
    WHERE s.mean_exec_time > $1::float8
      AND s.dbid = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
)
SELECT
    CASE WHEN v.queryid IS NOT NULL THEN pg_catalog.row_to_json(v) END AS statement,
    (SELECT pg_catalog.count(*) FROM slow AS s WHERE s.queryid IS NOT NULL) AS visible,
    (SELECT pg_catalog.count(*) FROM slow AS s WHERE s.queryid IS NULL) AS hidden
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT s.queryid::text AS queryid, pg_catalog.left(s.query, 1000) AS query, s.calls, s.total_ms, s.mean_ms, s.rows
    FROM slow AS s
    WHERE s.queryid IS NOT NULL
    ORDER BY s.mean_ms DESC
    LIMIT $2::int8
) AS v ON true
ORDER BY v.mean_ms DESC NULLS LAST
