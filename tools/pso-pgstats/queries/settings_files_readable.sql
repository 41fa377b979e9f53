-- PostgreSQL 13 to 18. Whether settings_files.sql may be asked: by default only by superusers.
SELECT
    pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
    AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS readable
