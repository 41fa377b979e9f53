-- PostgreSQL 14 to 17. Readable for every role. One row. Without track_wal_io_timing the times are 0, which is none.
SELECT
    w.wal_records,
    w.wal_fpi,
    w.wal_bytes::int8 AS wal_bytes,
    w.wal_buffers_full,
    w.wal_write,
    w.wal_sync,
    nullif(w.wal_write_time, 0)::int8 AS wal_write_ms,
    nullif(w.wal_sync_time, 0)::int8 AS wal_sync_ms,
    w.stats_reset AS stats_reset_at,
    s.setting::int8 * 1048576 AS max_wal_size_bytes,
    pg_catalog.current_setting('wal_level') AS wal_level,
    pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE') AS directory_readable
FROM pg_catalog.pg_stat_wal AS w
CROSS JOIN pg_catalog.pg_settings AS s
WHERE s.name = 'max_wal_size'
