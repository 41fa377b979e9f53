-- Tables and materialised views that VACUUM could be run on, with what the statistics say of them. PostgreSQL 13 to 18.
-- Who may: the owner, the owner of the database, and from 17 on whoever has MAINTAIN
-- (https://www.postgresql.org/docs/current/sql-vacuum.html); asked for only where it exists. Without the right the server
-- would only warn, and do nothing.
SELECT c.oid,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
       s.n_dead_tup,
       s.n_live_tup,
       s.n_tup_del,
       s.vacuum_count,
       s.last_analyze IS NULL AND s.last_autoanalyze IS NULL
           AND (s.n_live_tup > 0 OR s.n_dead_tup > 0 OR c.relpages > 0) AS never_analyzed,
       pg_catalog.pg_has_role(c.relowner, 'USAGE')
           OR pg_catalog.pg_has_role(d.datdba, 'USAGE')
           OR CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000
                   THEN pg_catalog.has_table_privilege(c.oid, 'MAINTAIN')
                   ELSE false END AS may
FROM pg_catalog.pg_stat_user_tables AS s
JOIN pg_catalog.pg_class AS c ON c.oid = s.relid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN (SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AS d
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
ORDER BY s.n_dead_tup DESC, 2
