-- What amcheck can look at, the largest first: heaps with their TOAST tables, and B-trees; and for those how much there is to
-- read where each row is looked for, which is the table too. PostgreSQL 13 and later.
SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relkind::text AS kind,
       pg_catalog.pg_relation_size(c.oid) + coalesce(pg_catalog.pg_relation_size(i.indrelid), 0) AS scanned_bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am AS m ON m.oid = c.relam
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND c.relpersistence <> 't'
  AND (c.relkind IN ('r', 'm') AND m.amname = 'heap'
       OR c.relkind = 'i' AND m.amname = 'btree' AND i.indisvalid AND i.indisready)
ORDER BY scanned_bytes DESC, c.oid
