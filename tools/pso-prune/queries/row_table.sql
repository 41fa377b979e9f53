-- A table by its name ($2), in a schema ($1) or where the search path finds it. PostgreSQL 13 and later.
SELECT c.oid AS oid,
       format('%I.%I', n.nspname, c.relname) AS sql,
       c.relkind::text AS kind,
       pg_catalog.row_security_active(c.oid) AS hides,
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AS is_ours,
       -- FOR UPDATE needs UPDATE on a column, https://www.postgresql.org/docs/current/sql-select.html.
       array_remove(ARRAY[
           CASE WHEN NOT pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') THEN 'USAGE of its schema' END,
           CASE WHEN NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END,
           CASE WHEN NOT pg_catalog.has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END,
           CASE WHEN NOT pg_catalog.has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE (of one column, to lock rows)' END
       ], NULL)::text[] AS missing
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass(coalesce(pg_catalog.quote_ident($1::text) || '.', '') || pg_catalog.quote_ident($2::text))
