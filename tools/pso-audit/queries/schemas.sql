-- PostgreSQL 13 to 18. Readable for every role. Schemas of this database in which everybody may create objects. What others
-- than the owner have granted, REVOKE takes back only as them.
SELECT
    n.nspname AS schema,
    pg_catalog.quote_ident(n.nspname) AS quoted,
    pg_catalog.array_agg(DISTINCT pg_catalog.quote_ident(o.rolname)) FILTER (WHERE a.grantor <> n.nspowner) AS grantors
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS a
LEFT JOIN pg_catalog.pg_roles AS o ON o.oid = a.grantor
WHERE n.nspname !~ '^pg_'
  AND a.grantee = 0 AND a.privilege_type = 'CREATE'
GROUP BY n.nspname
ORDER BY n.nspname
