-- PostgreSQL 13 to 18. For members of pg_monitor. One row. The files that are ready and wait for the archiver, and how long the
-- oldest has: an archive_command that hangs fails never, so pg_stat_archiver does not show it.
SELECT
    pg_catalog.count(*) AS waiting_files,
    CASE WHEN pg_catalog.count(*) > 0 THEN
        greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.min(f.modification)) * 1000)::int8
    END AS longest_waiting_ms
FROM pg_catalog.pg_ls_archive_statusdir() AS f
WHERE f.name ~ '\.ready$'
