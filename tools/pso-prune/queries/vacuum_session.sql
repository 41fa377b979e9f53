-- What is known of the server and of this session before the first VACUUM. PostgreSQL 13 to 18.
SELECT pg_catalog.pg_backend_pid() AS pid,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       pg_catalog.current_setting('server_version_num')::int AS version
