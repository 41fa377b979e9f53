-- PostgreSQL 13 to 18. Readable for every role. What everybody will be granted of objects yet to be made. That everybody may
-- execute functions and use types is PostgreSQL's own default, which each entry for all schemas repeats.
SELECT
    r.rolname AS role,
    n.nspname AS schema,
    CASE d.defaclobjtype
        WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
        WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS'
    END AS objects,
    pg_catalog.array_agg(DISTINCT a.privilege_type ORDER BY a.privilege_type) AS rights,
    'FOR ROLE ' || pg_catalog.quote_ident(r.rolname) || coalesce(' IN SCHEMA ' || pg_catalog.quote_ident(n.nspname), '') AS target
FROM pg_catalog.pg_default_acl AS d
JOIN pg_catalog.pg_roles AS r ON r.oid = d.defaclrole
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) AS a
WHERE a.grantee = 0
  AND (n.oid IS NOT NULL OR d.defaclobjtype NOT IN ('f', 'T'))
GROUP BY r.rolname, n.nspname, d.defaclobjtype
ORDER BY r.rolname, n.nspname, d.defaclobjtype
