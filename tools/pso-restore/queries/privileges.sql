-- Privileges on a database ($1). PostgreSQL 13 and later.
SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END
           AS grantee,
       a.privilege_type AS privilege,
       a.is_grantable AS is_grantable
FROM pg_catalog.pg_database AS d
CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) AS a
WHERE d.datname = $1
