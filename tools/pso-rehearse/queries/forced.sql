-- Tables of which row security keeps rows from their own owner, who we are where we are no superuser. In the scratch database
-- that can be taken back. PostgreSQL 13 and later.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND c.relforcerowsecurity
  AND pg_catalog.row_security_active(c.oid)
  AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
ORDER BY 1
