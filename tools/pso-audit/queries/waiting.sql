-- PostgreSQL 13 to 18. Readable for every role. Settings whose new value waits for a restart.
SELECT s.name
FROM pg_catalog.pg_settings AS s
WHERE s.pending_restart
