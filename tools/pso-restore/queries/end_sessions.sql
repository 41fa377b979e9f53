-- Ends the sessions of some databases ($1), and says how many there were. Autovacuum belongs to no user, only a superuser
-- may end it, and renaming a database does that by itself. PostgreSQL 13 and later.
SELECT count(pg_catalog.pg_terminate_backend(pid))
FROM pg_catalog.pg_stat_activity
WHERE datname::text = ANY ($1) AND pid <> pg_catalog.pg_backend_pid() AND usesysid IS NOT NULL
