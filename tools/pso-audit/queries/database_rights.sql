-- PostgreSQL 13 to 18. Readable for every role. What everybody may do with this database; who must be able to connect to it all
-- the same: this role, ($1) the one that planning-sync-server works as, where there is one, and whoever is here now; and which
-- others that may log in get in only because everybody does. What others than the owner have granted, REVOKE takes back only as
-- them.
WITH acl AS (
    SELECT d.oid, d.datdba, a.grantor, a.grantee, a.privilege_type
    FROM pg_catalog.pg_database AS d
    CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS a
    WHERE d.datname = pg_catalog.current_database()
), users AS (
    SELECT r.oid, r.rolname
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname IN (current_user, $1::text::name)
       OR r.oid IN (
           SELECT s.usesysid FROM pg_catalog.pg_stat_activity AS s WHERE s.datname = pg_catalog.current_database()
       )
)
SELECT
    pg_catalog.array_agg(DISTINCT a.privilege_type ORDER BY a.privilege_type) AS rights,
    ARRAY(SELECT pg_catalog.quote_ident(u.rolname) FROM users AS u ORDER BY u.rolname) AS users,
    ARRAY(
        SELECT r.rolname
        FROM pg_catalog.pg_roles AS r
        WHERE r.rolcanlogin AND NOT r.rolsuper
          AND r.oid NOT IN (SELECT u.oid FROM users AS u)
          AND NOT EXISTS (
              SELECT 1
              FROM acl AS own
              WHERE own.privilege_type = 'CONNECT' AND own.grantee <> 0
                AND pg_catalog.pg_has_role(r.oid, own.grantee, 'USAGE')
          )
        ORDER BY r.rolname
    ) AS others,
    (
        SELECT pg_catalog.array_agg(DISTINCT pg_catalog.quote_ident(o.rolname))
        FROM acl AS g
        JOIN pg_catalog.pg_roles AS o ON o.oid = g.grantor
        WHERE g.grantee = 0 AND g.grantor <> g.datdba
    ) AS grantors
FROM acl AS a
WHERE a.grantee = 0
HAVING pg_catalog.count(*) > 0
