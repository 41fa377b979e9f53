-- The extensions of this database and their versions. PostgreSQL 13 and later.
SELECT extname::text AS name, extversion AS version
FROM pg_catalog.pg_extension
ORDER BY extname
