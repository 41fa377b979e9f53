-- Ends the sessions of two databases ($1, $2), and says how many there were. PostgreSQL 13 and later.
SELECT count(pg_catalog.pg_terminate_backend(pid))
FROM pg_catalog.pg_stat_activity
WHERE datname IN ($1, $2) AND pid <> pg_catalog.pg_backend_pid()
