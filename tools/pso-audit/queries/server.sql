-- PostgreSQL 13 to 18. Readable for every role. Whom we have got, as whom we are here, and what this role may read.
-- client_address is absent over a socket.
SELECT
    pg_catalog.current_setting('server_version_num')::int4 AS version_num,
    pg_catalog.current_setting('server_version') AS version,
    pg_catalog.current_database() AS database,
    pg_catalog.quote_ident(pg_catalog.current_database()) AS database_quoted,
    pg_catalog.quote_ident(current_user) AS role_quoted,
    pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT') AS reads_passwords,
    pg_catalog.has_table_privilege('pg_catalog.pg_hba_file_rules', 'SELECT')
    AND pg_catalog.has_function_privilege('pg_catalog.pg_hba_file_rules()', 'EXECUTE') AS reads_hba,
    pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
    AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS reads_files,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    coalesce((SELECT s.ssl FROM pg_catalog.pg_stat_ssl AS s WHERE s.pid = pg_catalog.pg_backend_pid()), false) AS encrypted,
    pg_catalog.host(pg_catalog.inet_client_addr()) AS client_address
