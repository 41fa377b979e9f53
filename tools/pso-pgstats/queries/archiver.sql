-- PostgreSQL 13 to 18. Readable for every role. One row. archive_command may hold secrets, so it is not fetched.
-- GREATEST passes over NULL, so what is unknown has to be kept from it.
SELECT
    pg_catalog.current_setting('archive_mode') AS archive_mode,
    a.archived_count,
    a.last_archived_wal,
    a.last_archived_time AS last_archived_at,
    CASE WHEN a.last_archived_time IS NOT NULL
        THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.last_archived_time) * 1000)::int8 END AS last_archived_ms,
    a.failed_count,
    a.last_failed_wal,
    a.last_failed_time AS last_failed_at,
    CASE WHEN a.last_failed_time IS NOT NULL
        THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.last_failed_time) * 1000)::int8 END AS last_failed_ms,
    pg_catalog.current_setting('archive_mode') <> 'off'
    AND a.last_failed_time IS NOT NULL
    AND a.last_failed_time > coalesce(a.last_archived_time, '-infinity') AS failing,
    a.stats_reset AS stats_reset_at,
    pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE') AS waiting_readable
FROM pg_catalog.pg_stat_archiver AS a
