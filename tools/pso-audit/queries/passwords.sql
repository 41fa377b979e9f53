-- PostgreSQL 13 to 18. Superusers only: pg_authid holds the hashes. They do not leave the server; only their kind does.
-- The role with the oid 10 is the one that initdb made, by which the server is administered.
SELECT
    a.rolname AS role,
    pg_catalog.quote_ident(a.rolname) AS quoted,
    a.oid = 10 AS bootstrap,
    EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity AS s WHERE s.usesysid = a.oid) AS in_use,
    a.rolpassword IS NULL AS missing,
    coalesce(a.rolpassword ~ '^md5', false) AS md5
FROM pg_catalog.pg_authid AS a
WHERE a.rolcanlogin
ORDER BY a.rolname
