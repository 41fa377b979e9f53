-- PostgreSQL 13 to 18. Readable for every role, unless it was revoked (version.sql asks). One row.
SELECT c.system_identifier::text AS system_identifier
FROM pg_catalog.pg_control_system() AS c
