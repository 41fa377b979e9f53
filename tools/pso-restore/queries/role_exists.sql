-- Whether a role ($1) exists. PostgreSQL 13 and later.
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)
