-- PostgreSQL 13 to 18. Readable for every role; shared_preload_libraries itself is not, but the library's own settings are
-- listed only where it is loaded.
SELECT
    m.setting IS NOT NULL AS loaded,
    m.setting::int8 AS max_entries,
    m.source AS max_entries_source,
    e.extversion AS version,
    pg_catalog.quote_ident(n.nspname) AS schema
FROM (SELECT 1) AS one
LEFT JOIN pg_catalog.pg_settings AS m ON m.name = 'pg_stat_statements.max'
LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = 'pg_stat_statements'
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
