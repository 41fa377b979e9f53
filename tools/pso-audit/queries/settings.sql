-- PostgreSQL 13 to 18. Readable for every role; the folders and files only with pg_read_all_settings, else they are left out.
-- The settings that rules judge, as a new session has them (reset_val). None of them can hold a password.
SELECT
    s.name,
    s.reset_val AS value,
    s.source,
    s.context
FROM pg_catalog.pg_settings AS s
WHERE s.name IN (
    'data_directory', 'hba_file', 'listen_addresses', 'log_connections', 'log_disconnections', 'log_statement',
    'log_file_mode', 'logging_collector', 'password_encryption', 'ssl', 'ssl_min_protocol_version', 'unix_socket_permissions'
)
