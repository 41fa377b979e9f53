-- Ends one session ($1, started $2), and says whether it was there (1 or 0). PostgreSQL 13 and later.
SELECT count(pg_catalog.pg_terminate_backend(pid))
FROM pg_catalog.pg_stat_activity
WHERE pid = $1 AND backend_start = $2::text::timestamptz
