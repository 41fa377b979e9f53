-- PostgreSQL 13 to 18. Takes no lock on the tables: catalogue only. Readable for every role.
-- Only of real tables: a partitioned one has no rows, and each of its partitions has the foreign key too. What refers to a
-- partitioned table has a constraint more for each of its partitions, whose parent is on the same table: not these.
SELECT
    n.nspname AS schemaname,
    c.relname,
    k.conname,
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS on_table,
    pg_catalog.quote_ident(n.nspname) AS in_schema,
    pg_catalog.format('%I.%I', rn.nspname, rc.relname) AS refers_to,
    f.columns,
    f.column_list,
    k.conkey,
    k.confdeltype::text AS confdeltype,
    coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced')::bool, true) AS enforced,
    c.relpersistence = 't' AS temporary,
    (
        SELECT pg_catalog.format('%I.%I', wn.nspname, w.relname)
        FROM pg_catalog.pg_inherits AS h
        JOIN pg_catalog.pg_class AS w ON w.oid = h.inhparent
        JOIN pg_catalog.pg_namespace AS wn ON wn.oid = w.relnamespace
        WHERE c.relispartition AND h.inhrelid = c.oid
    ) AS partition_of
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS rc ON rc.oid = k.confrelid
JOIN pg_catalog.pg_namespace AS rn ON rn.oid = rc.relnamespace
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.array_agg(a.attname ORDER BY u.nr) AS columns,
        pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY u.nr) AS column_list
    FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (attnum, nr)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
) AS f
LEFT JOIN pg_catalog.pg_constraint AS p ON p.oid = k.conparentid AND p.conrelid = k.conrelid
WHERE k.contype = 'f' AND p.oid IS NULL
ORDER BY n.nspname, c.relname, k.conname
