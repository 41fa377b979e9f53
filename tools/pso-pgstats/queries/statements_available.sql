-- PostgreSQL 13 to 18. Readable for every role. Reads the control files of all extensions on the server's disk, and fails when
-- one of them, of whatever extension, is broken; so it is asked only when the answer matters.
SELECT EXISTS (
    SELECT 1 FROM pg_catalog.pg_available_extensions AS a WHERE a.name = 'pg_stat_statements'
) AS available
