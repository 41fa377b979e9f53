-- PostgreSQL 13 to 18. Readable for every role. What everybody may do with this database.
SELECT
    pg_catalog.array_agg(DISTINCT a.privilege_type ORDER BY a.privilege_type) AS rights
FROM pg_catalog.pg_database AS d
CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS a
WHERE d.datname = pg_catalog.current_database() AND a.grantee = 0
HAVING pg_catalog.count(*) > 0
