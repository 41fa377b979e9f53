-- Foreign keys that point to any of these tables ($1). PostgreSQL 13 and later (conenforced came with 18).
SELECT con.oid AS oid,
       con.conname::text AS name,
       con.conrelid AS from_oid,
       c.relname::text AS from_name,
       -- A partitioned table's constraint is its partitions' too; an inherited one is not its children's.
       CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', n.nspname, c.relname) AS from_sql,
       con.confrelid AS to_oid,
       CASE t.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || format('%I.%I', tn.nspname, t.relname) AS to_sql,
       con.confdeltype::text AS on_delete,
       ARRAY(SELECT format('%I', a.attname) FROM unnest(con.conkey) WITH ORDINALITY AS k (n, at)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.conrelid AND a.attnum = k.n ORDER BY k.at) AS columns,
       ARRAY(SELECT format('%I', a.attname) FROM unnest(con.confkey) WITH ORDINALITY AS k (n, at)
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.confrelid AND a.attnum = k.n ORDER BY k.at) AS keys,
       pg_catalog.has_table_privilege(con.conrelid, 'SELECT') AS is_readable
FROM pg_catalog.pg_constraint AS con
JOIN pg_catalog.pg_class AS c ON c.oid = con.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS t ON t.oid = con.confrelid
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
WHERE con.contype = 'f'
  -- Those of partitions follow from their parents'.
  AND con.conparentid = 0
  AND con.confrelid = ANY ($1::oid[])
  AND coalesce((to_jsonb(con) ->> 'conenforced')::boolean, true)
ORDER BY c.relname, con.conname
