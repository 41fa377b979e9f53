-- PostgreSQL 13 to 18. Readable for every role. What everybody may do with this database, and who must be able to connect to it
-- all the same: this role, and ($1) the one that planning-sync-server works as, where there is one.
SELECT
    pg_catalog.array_agg(DISTINCT a.privilege_type ORDER BY a.privilege_type) AS rights,
    ARRAY(
        SELECT pg_catalog.quote_ident(r.rolname)
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolname IN (current_user, $1::text::name)
        ORDER BY r.rolname
    ) AS users
FROM pg_catalog.pg_database AS d
CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS a
WHERE d.datname = pg_catalog.current_database() AND a.grantee = 0
HAVING pg_catalog.count(*) > 0
