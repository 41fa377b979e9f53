-- PostgreSQL 10 to 18. Readable for every role. Since when the counters of this database have been counting, never earlier
-- than in truth. Without a reset of this database (always so before the first one since 15) it is the later of the
-- server's start and the last loss of all counters, which a crash causes and which bgwriter's stats_reset shows.
SELECT
    extract(epoch FROM x.since)::float8 AS since,
    extract(epoch FROM pg_catalog.clock_timestamp() - x.since)::float8 AS age_s,
    x.source
FROM (
    SELECT
        coalesce(d.stats_reset, greatest(pg_catalog.pg_postmaster_start_time(), b.stats_reset)) AS since,
        CASE WHEN d.stats_reset IS NOT NULL THEN 'pg_stat_database.stats_reset' ELSE 'server start' END AS source
    FROM pg_catalog.pg_stat_bgwriter AS b
    LEFT JOIN pg_catalog.pg_stat_database AS d ON d.datname = pg_catalog.current_database()
) AS x
