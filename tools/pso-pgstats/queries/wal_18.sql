-- PostgreSQL 18. Readable for every role. One row. Writes and syncs moved to pg_stat_io, by sort of process; a file that is
-- made (context init) is not counted as a write, as it was not before.
SELECT
    w.wal_records,
    w.wal_fpi,
    w.wal_bytes::int8 AS wal_bytes,
    w.wal_buffers_full,
    i.wal_write,
    i.wal_sync,
    nullif(i.wal_write_time, 0)::int8 AS wal_write_ms,
    nullif(i.wal_sync_time, 0)::int8 AS wal_sync_ms,
    w.stats_reset AS stats_reset_at,
    s.setting::int8 * 1048576 AS max_wal_size_bytes,
    pg_catalog.current_setting('wal_level') AS wal_level,
    pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE') AS directory_readable
FROM pg_catalog.pg_stat_wal AS w
CROSS JOIN (
    SELECT
        pg_catalog.sum(o.writes)::int8 AS wal_write,
        pg_catalog.sum(o.fsyncs)::int8 AS wal_sync,
        pg_catalog.sum(o.write_time) AS wal_write_time,
        pg_catalog.sum(o.fsync_time) AS wal_sync_time
    FROM pg_catalog.pg_stat_io AS o
    WHERE o.object = 'wal' AND o.context = 'normal'
) AS i
CROSS JOIN pg_catalog.pg_settings AS s
WHERE s.name = 'max_wal_size'
