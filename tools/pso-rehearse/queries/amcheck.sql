-- What amcheck can look at, the largest first: heaps with their TOAST tables, and B-trees. PostgreSQL 13 and later.
SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind,
       pg_catalog.pg_table_size(c.oid) AS size_bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND c.relpersistence <> 't'
  AND (c.relkind IN ('r', 'm') AND m.amname = 'heap'
       OR c.relkind = 'i' AND m.amname = 'btree' AND i.indisvalid AND i.indisready)
ORDER BY size_bytes DESC, c.oid
