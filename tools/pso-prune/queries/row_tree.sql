-- A table ($1) and everything that inherits from it or is a partition of it, parents first; $2 is the comment by which
-- a run marks a partition that it is about to detach. PostgreSQL 13 and later (inhdetachpending came with 14).
WITH RECURSIVE tree AS (
    SELECT $1::oid AS oid, NULL::oid AS parent, false AS pending, 0 AS level
    UNION ALL
    SELECT i.inhrelid, i.inhparent, coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false), tree.level + 1
    FROM tree
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid
)
SELECT c.oid AS oid,
       tree.parent AS parent,
       tree.pending AS pending,
       c.relname::text AS name,
       format('%I.%I', n.nspname, c.relname) AS sql,
       c.relkind::text AS kind,
       coalesce(pg_catalog.obj_description(c.oid, 'pg_class') = $2::text, false) AS is_marked,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS is_ours,
       -- The column by whose ranges its parent is divided, where that is one column and no expression.
       (SELECT a.attname::text
        FROM pg_catalog.pg_partitioned_table AS p
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
        WHERE p.partrelid = tree.parent AND p.partstrat = 'r' AND p.partnatts = 1) AS divided_by,
       -- As it is written: FOR VALUES FROM ('…') TO ('…'), or DEFAULT.
       pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound,
       replace(substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid) FROM ' TO \(''(.*)''\)$'), '''''', '''') AS until,
       EXISTS (SELECT 1 FROM pg_catalog.pg_inherits AS i
               JOIN pg_catalog.pg_class AS s ON s.oid = i.inhrelid
               WHERE i.inhparent = tree.parent AND pg_catalog.pg_get_expr(s.relpartbound, s.oid) = 'DEFAULT') AS beside_default,
       -- Bit 3 is DELETE, https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_trigger.h.
       ARRAY(SELECT t.tgname::text FROM pg_catalog.pg_trigger AS t
             WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 8 <> 0
             ORDER BY 1) AS triggers
FROM tree
JOIN pg_catalog.pg_class AS c ON c.oid = tree.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY tree.level, c.relname
