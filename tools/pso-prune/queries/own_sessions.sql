-- Other sessions of this tool on this database: what one has counted is told when it has ended. PostgreSQL 13 to 18.
SELECT count(*) FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND application_name = 'pso-prune'
  AND usename = CURRENT_USER AND pid <> pg_catalog.pg_backend_pid()
