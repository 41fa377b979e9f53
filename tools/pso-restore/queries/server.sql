-- The server's version and what the session's role may do. PostgreSQL 13 and later.
SELECT current_setting('server_version_num')::int AS server_version_num,
       rolname::text AS role,
       rolsuper AS is_superuser,
       rolcreatedb OR rolsuper AS may_create
FROM pg_catalog.pg_roles
WHERE rolname = current_user
