-- Constraints that were not checked against every row, and indexes that cannot be used; an index of a partitioned table
-- is as valid as those of its partitions are, and a constraint that was inherited is as valid as the parent's.
-- PostgreSQL 13 and later.
SELECT true AS is_constraint, n.nspname::text AS schema, c.conname::text AS name,
       coalesce(r.relname, t.typname)::text AS of
FROM pg_catalog.pg_constraint AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace
LEFT JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = c.contypid
WHERE NOT c.convalidated
  AND (c.conislocal OR c.coninhcount = 0)
UNION ALL
SELECT false, n.nspname::text, c.relname::text, r.relname::text
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class AS r ON r.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'i'
  AND NOT (i.indisvalid AND i.indisready)
  AND n.nspname !~ '^pg_'
ORDER BY 1, 2, 3
