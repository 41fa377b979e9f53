-- PostgreSQL 13 to 18. Readable for every role; the size only where it may connect, or with pg_read_all_stats.
-- The columns about sessions (14) are read by name from the row as JSON, where a column that is not there is NULL.
-- A database may be dropped meanwhile: then has_database_privilege gives NULL, where pg_database_size would fail.
-- Without a reset of the database's own, its counters are as old as it is, but not older than the last loss of all counters
-- (initdb, a crash), which the other views' stats_reset still show: the earlier of two, because one may have been reset alone.
SELECT
    s.datname,
    pg_catalog.quote_ident(s.datname) AS object,
    s.datname IS NOT NULL AND s.datname = pg_catalog.current_database() AS current,
    CASE
        WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid)
        WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') IS NOT NULL
            AND pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') THEN pg_catalog.pg_database_size(d.oid)
    END AS size_bytes,
    s.numbackends,
    CASE WHEN d.datconnlimit >= 0 THEN d.datconnlimit END AS connection_limit,
    s.xact_commit,
    s.xact_rollback,
    CASE WHEN s.xact_commit + s.xact_rollback > 0
        THEN pg_catalog.round(s.xact_rollback * 100.0 / (s.xact_commit + s.xact_rollback), 2) END AS rollback_percent,
    s.blks_read,
    s.blks_hit,
    CASE WHEN s.blks_read + s.blks_hit > 0
        THEN pg_catalog.round(s.blks_hit * 100.0 / (s.blks_read + s.blks_hit), 2) END AS hit_percent,
    s.tup_returned,
    s.tup_fetched,
    s.tup_inserted,
    s.tup_updated,
    s.tup_deleted,
    s.temp_files,
    s.temp_bytes,
    s.deadlocks,
    s.conflicts,
    s.blk_read_time AS blk_read_ms,
    s.blk_write_time AS blk_write_ms,
    (j.seen ->> 'sessions')::int8 AS sessions,
    (j.seen ->> 'sessions_abandoned')::int8 AS sessions_abandoned,
    (j.seen ->> 'sessions_fatal')::int8 AS sessions_fatal,
    (j.seen ->> 'sessions_killed')::int8 AS sessions_killed,
    s.checksum_failures,
    s.checksum_last_failure AS checksum_last_failure_at,
    (
        SELECT pg_catalog.substr(c.setting, pg_catalog.length('work_mem=') + 1)
        FROM pg_catalog.pg_db_role_setting AS r
        CROSS JOIN pg_catalog.unnest(r.setconfig) AS c (setting)
        WHERE r.setdatabase = d.oid AND r.setrole = 0 AND c.setting LIKE 'work\_mem=%'
    ) AS own_work_mem,
    s.stats_reset AS stats_reset_at,
    coalesce(s.stats_reset, least(b.stats_reset, a.stats_reset)) AS stats_since_at
FROM pg_catalog.pg_stat_database AS s
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(s) AS seen) AS j
CROSS JOIN pg_catalog.pg_stat_bgwriter AS b
CROSS JOIN pg_catalog.pg_stat_archiver AS a
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.datid
ORDER BY s.checksum_failures > 0 DESC NULLS LAST, size_bytes DESC NULLS LAST, s.datname
