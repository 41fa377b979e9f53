-- The extensions of the connected database. PostgreSQL 13 and later.
SELECT extname::text FROM pg_catalog.pg_extension
