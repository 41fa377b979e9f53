-- Every version. The first question, so that an old server is named instead of failing on a column.
SELECT
    pg_catalog.current_setting('server_version_num')::int4 AS version_num,
    pg_catalog.current_setting('server_version') AS version
