-- The cluster's identity; only roles that were granted the function may read it. PostgreSQL 13 and later.
SELECT system_identifier::text FROM pg_catalog.pg_control_system()
