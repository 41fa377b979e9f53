-- PostgreSQL 13 to 18. Readable for every role. Whether the extension pgstattuple is there, in which schema (quoted), and whether
-- the role may use it: the members of pg_stat_scan_tables may.
SELECT
    pg_catalog.quote_ident(n.nspname) AS schema,
    coalesce(
        pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND (
            SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))
            FROM pg_catalog.pg_proc AS p
            WHERE p.pronamespace = n.oid
              AND p.proname IN ('pgstattuple', 'pgstatindex')
              AND p.proargtypes[0] = 'pg_catalog.regclass'::pg_catalog.regtype
        ),
        false
    ) AS executable
FROM (SELECT 1) AS one
LEFT JOIN pg_catalog.pg_extension AS e ON e.extname = 'pgstattuple'
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
