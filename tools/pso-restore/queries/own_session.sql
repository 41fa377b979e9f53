-- The session itself, in a form that no other one ever has. PostgreSQL 13 and later.
SELECT pid, backend_start::text
FROM pg_catalog.pg_stat_activity
WHERE pid = pg_catalog.pg_backend_pid()
