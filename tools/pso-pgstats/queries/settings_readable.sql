-- PostgreSQL 13 to 18. Readable for every role. What the role may see of the settings: all of them with their files, and what is
-- wrong in these (settings_files.sql), which by default only superusers may.
SELECT
    pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE') AS all_settings,
    pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
    AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS files
