-- Each column that takes its values from a sequence, because it owns it (serial, identity) or by its default, with where
-- the sequence stands and which way it goes. A sequence that nothing was taken from has no last value.
-- PostgreSQL 13 and later.
SELECT sn.nspname::text AS schema, s.relname::text AS sequence, tn.nspname::text AS of_schema, t.relname::text AS of,
       a.attname::text AS column,
       pg_catalog.format('%I.%I', sn.nspname, s.relname) AS quoted,
       pg_catalog.format('SELECT pg_catalog.%s(%I)::numeric::text FROM %I.%I',
                         CASE WHEN q.seqincrement > 0 THEN 'max' ELSE 'min' END, a.attname, tn.nspname, t.relname) AS furthest,
       q.seqincrement AS step, q.seqcycle AS cycles
FROM (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number
    FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.refobjsubid > 0
      AND d.deptype IN ('a', 'i')
    UNION
    SELECT d.refobjid, f.adrelid, f.adnum
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_attrdef AS f ON f.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.deptype = 'n'
) AS used
JOIN pg_catalog.pg_class AS s ON s.oid = used.sequence AND s.relkind = 'S'
JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = s.oid
JOIN pg_catalog.pg_namespace AS sn ON sn.oid = s.relnamespace
JOIN pg_catalog.pg_class AS t ON t.oid = used.relation AND t.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = used.number AND NOT a.attisdropped
WHERE a.atttypid IN ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype,
                     'numeric'::pg_catalog.regtype)
ORDER BY 1, 2, 3, 4, 5
