-- The extensions of the connected database, and the schemas that they are in. PostgreSQL 13 and later.
SELECT e.extname::text AS name, n.nspname::text AS schema
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
