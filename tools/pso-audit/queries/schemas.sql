-- PostgreSQL 13 to 18. Readable for every role. Schemas of this database in which everybody may create objects; and who has made
-- some, or ($1) is the role that planning-sync-server works as, and may because everybody does. What others
-- than the owner have granted, REVOKE takes back only as them.
SELECT
    n.nspname AS schema,
    pg_catalog.quote_ident(n.nspname) AS quoted,
    ARRAY(
        SELECT pg_catalog.quote_ident(r.rolname)
        FROM pg_catalog.pg_roles AS r
        WHERE NOT r.rolsuper AND NOT pg_catalog.pg_has_role(r.oid, n.nspowner, 'USAGE')
          AND (
              r.rolname = $1::text::name AND n.nspname = 'public'
              OR r.oid IN (SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid)
          )
        ORDER BY r.rolname
    ) AS makers,
    pg_catalog.array_agg(DISTINCT pg_catalog.quote_ident(o.rolname)) FILTER (WHERE a.grantor <> n.nspowner) AS grantors
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS a
LEFT JOIN pg_catalog.pg_roles AS o ON o.oid = a.grantor
WHERE n.nspname !~ '^pg_'
  AND a.grantee = 0 AND a.privilege_type = 'CREATE'
GROUP BY n.oid, n.nspname, n.nspowner
ORDER BY n.nspname
