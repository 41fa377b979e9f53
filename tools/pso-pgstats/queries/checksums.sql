-- PostgreSQL 13 to 18. Readable for every role. One row. Without checksums pg_stat_database has no failures (NULL).
SELECT
    pg_catalog.current_setting('data_checksums')::bool AS data_checksums,
    (
        SELECT s.reset_val::bool FROM pg_catalog.pg_settings AS s WHERE s.name = 'ignore_checksum_failure'
    ) AS ignore_checksum_failure,
    pg_catalog.sum(d.checksum_failures)::int8 AS checksum_failures,
    CASE WHEN pg_catalog.count(d.checksum_failures) > 0
        THEN pg_catalog.count(*) FILTER (WHERE d.checksum_failures > 0) END AS failing_databases,
    pg_catalog.max(d.checksum_last_failure) AS checksum_last_failure_at
FROM pg_catalog.pg_stat_database AS d
