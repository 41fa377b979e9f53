-- PostgreSQL 10 to 18. pg_read_all_stats exists since 10; superusers have it.
SELECT
    pg_catalog.current_setting('server_version_num')::int4 AS version_num,
    pg_catalog.quote_ident(current_user) AS role,
    pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS reads_all_stats,
    pg_catalog.pg_is_in_recovery() AS in_recovery
