-- PostgreSQL 13 to 18. Readable for every role. Tables, views and sequences of this database that everybody may read or write,
-- as a whole or some columns of them. Those of extensions are as their authors wanted them. One more than are shown.
-- What others than the owner have granted, REVOKE takes back only as them.
WITH granted AS (
    SELECT c.oid, a.privilege_type, a.grantor
    FROM pg_catalog.pg_class AS c
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
    WHERE a.grantee = 0
    UNION
    SELECT t.attrelid, a.privilege_type, a.grantor
    FROM pg_catalog.pg_attribute AS t
    CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) AS a
    WHERE a.grantee = 0 AND NOT t.attisdropped
)
SELECT
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation,
    c.relkind = 'S' AS sequence,
    pg_catalog.array_agg(DISTINCT g.privilege_type ORDER BY g.privilege_type) AS rights,
    pg_catalog.array_agg(DISTINCT pg_catalog.quote_ident(o.rolname)) FILTER (WHERE g.grantor <> c.relowner) AS grantors
FROM granted AS g
JOIN pg_catalog.pg_class AS c ON c.oid = g.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_roles AS o ON o.oid = g.grantor
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (
      SELECT 1
      FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e'
  )
GROUP BY n.nspname, c.relname, c.relkind
ORDER BY n.nspname, c.relname
LIMIT 501
