-- PostgreSQL 14 to 18, as a part of progress.sql. Readable as that is. The total is known of files only, else 0.
UNION ALL
SELECT
    c.pid, c.datid, c.relid, NULL, coalesce(c.command, 'COPY'), NULL,
    c.bytes_processed, nullif(c.bytes_total, 0), CASE WHEN c.bytes_processed IS NOT NULL THEN 'bytes' END,
    NULL, c.tuples_processed, NULL
FROM pg_catalog.pg_stat_progress_copy AS c
