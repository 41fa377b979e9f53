-- PostgreSQL 13 to 18. Readable for every role; shared_preload_libraries itself is not, but the library's own settings are
-- listed only where it is loaded.
SELECT
    EXISTS (SELECT 1 FROM pg_catalog.pg_settings AS s WHERE s.name = 'pg_stat_statements.max') AS preloaded,
    e.extversion AS version,
    pg_catalog.quote_ident(n.nspname) AS schema
FROM (SELECT 1) AS one
LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = 'pg_stat_statements'
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
