-- The subscriptions of the connected database. PostgreSQL 13 and later.
SELECT subname::text
FROM pg_catalog.pg_subscription
WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
