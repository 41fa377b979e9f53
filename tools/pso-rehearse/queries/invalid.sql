-- Constraints that were not checked against every row, and indexes that cannot be used; of what is inherited or part of a
-- partitioned index, what it comes from is told as well. What PostgreSQL makes of a foreign key for each partition has a name of
-- its own, which is in no dump, and is as valid as the key. PostgreSQL 13 and later.
SELECT CASE WHEN t.oid IS NULL THEN 'constraint' ELSE 'domain' END AS kind, n.nspname::text AS schema,
       c.conname::text AS name, coalesce(r.relname, t.typname)::text AS of
FROM pg_catalog.pg_constraint AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace
LEFT JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = c.contypid
WHERE NOT c.convalidated
  AND c.conparentid = 0
UNION ALL
SELECT CASE c.relkind WHEN 'I' THEN 'partitioned index' ELSE 'index' END, n.nspname::text, c.relname::text,
       r.relname::text
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_class AS r ON r.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
  AND n.nspname !~ '^pg_'
ORDER BY 1, 2, 3
