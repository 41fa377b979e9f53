-- Every version. The first question, so that an old server is named instead of failing on a column. Readable for every role;
-- whether it may read the cluster's identity is asked before that is: a refusal would stand in the server's log.
SELECT
    pg_catalog.current_setting('server_version_num')::int4 AS version_num,
    pg_catalog.current_setting('server_version') AS version,
    pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS reads_control
