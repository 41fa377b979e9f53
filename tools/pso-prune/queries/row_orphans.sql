-- Partitions that a run has marked ($1, then the table's oid) and detached, and did not come to drop. PostgreSQL 13 and later.
SELECT c.oid AS oid,
       c.relname::text AS name,
       format('%I.%I', n.nspname, c.relname) AS sql
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
  AND pg_catalog.obj_description(c.oid, 'pg_class') = $1::text
ORDER BY c.relname
