-- PostgreSQL 13, which does not count what it writes. Readable for every role. One row.
SELECT
    s.setting::int8 * 1048576 AS max_wal_size_bytes,
    pg_catalog.current_setting('wal_level') AS wal_level,
    pg_catalog.has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE') AS directory_readable
FROM pg_catalog.pg_settings AS s
WHERE s.name = 'max_wal_size'
