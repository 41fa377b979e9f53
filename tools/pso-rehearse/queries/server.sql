-- What may be done on a server where a scratch database is to be made. PostgreSQL 13 and later.
SELECT pg_catalog.current_setting('server_version_num')::int AS version, r.rolsuper AS is_superuser,
       r.rolsuper OR r.rolcreatedb AS may_create
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = current_user
