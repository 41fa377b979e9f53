-- PostgreSQL 13 to 18. Readable for every role. Schemas of this database in which everybody may create objects.
SELECT
    n.nspname AS schema,
    pg_catalog.quote_ident(n.nspname) AS quoted
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^pg_'
  AND EXISTS (
      SELECT 1
      FROM pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS a
      WHERE a.grantee = 0 AND a.privilege_type = 'CREATE'
  )
ORDER BY n.nspname
