-- PostgreSQL 13 to 18. For members of pg_monitor. One row. Only the files of the log, not the histories of timelines or the marks
-- of backups. A file that is removed meanwhile is passed over by the server.
SELECT
    pg_catalog.count(*) AS files,
    coalesce(pg_catalog.sum(f.size), 0)::int8 AS directory_bytes
FROM pg_catalog.pg_ls_waldir() AS f
WHERE f.name ~ '^[0-9A-F]{24}$'
