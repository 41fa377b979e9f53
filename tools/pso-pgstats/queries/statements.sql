-- Extension pg_stat_statements 1.4 to 1.12 (PostgreSQL 13 to 18, and servers on which it was never updated).
-- In braces, which must not be in comments, as a name may have line breaks: the quoted schema of the extension, and what 1.8
-- put before "time" in the columns' names, "exec_" from then on; and "(false)" for no texts.
-- $1: milliseconds on average, $2: milliseconds in all, $3: rows at most of each. Columns that not every version has are read
-- by name from the row as JSON, where one that is not there is NULL; 1.11 renamed those of reading and writing.
-- Other roles' statements have no queryid for a role without pg_read_all_stats: they are only counted. Always gives a row,
-- so that the counts are there when nothing is visible. The sum is taken without the texts, which are kept in a file.
WITH here AS (
    SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()
),
notable AS MATERIALIZED (
    SELECT s.*, s.mean_{exec}time > $1::float8 AS slow, s.total_{exec}time > $2::float8 AS long
    FROM {schema}.pg_stat_statements{texts} AS s
    WHERE (s.mean_{exec}time > $1::float8 OR s.total_{exec}time > $2::float8) AND s.dbid = (SELECT h.oid FROM here AS h)
),
shown AS (
    (SELECT n.* FROM notable AS n WHERE n.slow AND n.queryid IS NOT NULL ORDER BY n.mean_{exec}time DESC LIMIT $3::int8)
    UNION
    (SELECT n.* FROM notable AS n WHERE n.long AND n.queryid IS NOT NULL ORDER BY n.total_{exec}time DESC LIMIT $3::int8)
),
total AS (
    SELECT pg_catalog.sum(s.total_{exec}time) AS total_ms
    FROM {schema}.pg_stat_statements(false) AS s
    WHERE s.dbid = (SELECT h.oid FROM here AS h)
)
SELECT
    CASE WHEN v.queryid IS NOT NULL THEN pg_catalog.row_to_json(v) END AS statement,
    (SELECT pg_catalog.count(*) FROM notable AS n WHERE n.slow AND n.queryid IS NOT NULL) AS slow,
    (SELECT pg_catalog.count(*) FROM notable AS n WHERE n.long AND n.queryid IS NOT NULL) AS long,
    (SELECT pg_catalog.count(*) FROM notable AS n WHERE n.queryid IS NULL) AS hidden
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT
        s.queryid::text AS queryid,
        coalesce(pg_catalog.left(s.query, 1000), '') AS query,
        s.calls,
        s.total_{exec}time AS total_ms,
        s.mean_{exec}time AS mean_ms,
        s.rows,
        (SELECT r.rolname FROM pg_catalog.pg_roles AS r WHERE r.oid = s.userid) AS usename,
        (j.s ->> 'toplevel')::bool AS toplevel,
        pg_catalog.round((s.total_{exec}time * 100 / nullif(t.total_ms, 0))::numeric, 2)::float8 AS total_percent,
        s.min_{exec}time AS min_ms,
        s.max_{exec}time AS max_ms,
        s.stddev_{exec}time AS stddev_ms,
        (j.s ->> 'plans')::int8 AS plans,
        (j.s ->> 'total_plan_time')::float8 AS plan_ms,
        s.shared_blks_hit,
        s.shared_blks_read,
        s.shared_blks_dirtied,
        s.shared_blks_written,
        s.temp_blks_read,
        s.temp_blks_written,
        coalesce(j.s ->> 'shared_blk_read_time', j.s ->> 'blk_read_time')::float8 AS blk_read_ms,
        coalesce(j.s ->> 'shared_blk_write_time', j.s ->> 'blk_write_time')::float8 AS blk_write_ms,
        (j.s ->> 'wal_bytes')::numeric::int8 AS wal_bytes,
        (j.s ->> 'jit_functions')::int8 AS jit_functions,
        (j.s ->> 'jit_generation_time')::float8 + (j.s ->> 'jit_inlining_time')::float8
            + (j.s ->> 'jit_optimization_time')::float8 + (j.s ->> 'jit_emission_time')::float8 AS jit_ms,
        (j.s ->> 'stats_since')::timestamptz AS stats_since_at
    FROM shown AS s
    CROSS JOIN total AS t
    CROSS JOIN LATERAL pg_catalog.to_jsonb(s) AS j(s)
) AS v ON true
ORDER BY v.mean_ms DESC NULLS LAST, v.queryid
