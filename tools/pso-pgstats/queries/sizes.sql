-- PostgreSQL 13 to 18. Readable for every role.
-- The size functions take ACCESS SHARE on what they measure. A table that another session holds, or waits for, in
-- ACCESS EXCLUSIVE is therefore not measured (sizes NULL) instead of ending the whole query in a lock time-out; so is one
-- whose index or TOAST table is held. pg_table_size + pg_indexes_size is what pg_total_relation_size is made of. Asked by
-- oid: a name with quotes or capitals would not survive a cast to regclass.
WITH held AS (
    SELECT coalesce(i.indrelid, t.oid, l.relation) AS oid
    FROM pg_catalog.pg_locks AS l
    LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = l.relation
    LEFT JOIN pg_catalog.pg_class AS t ON t.reltoastrelid = l.relation
    WHERE l.locktype = 'relation'
      AND l.mode = 'AccessExclusiveLock'
      AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
),
parts AS (
    SELECT
        n.nspname AS schemaname,
        c.relname,
        CASE WHEN c.oid NOT IN (SELECT h.oid FROM held AS h) THEN pg_catalog.pg_table_size(c.oid) END AS table_bytes,
        CASE WHEN c.oid NOT IN (SELECT h.oid FROM held AS h) THEN pg_catalog.pg_indexes_size(c.oid) END AS index_bytes,
        c.oid IN (SELECT h.oid FROM held AS h) AS held
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname !~ '^pg_toast'
),
measured AS (
    SELECT p.schemaname, p.relname, p.table_bytes + p.index_bytes AS size_bytes, p.table_bytes, p.index_bytes, p.held
    FROM parts AS p
)
SELECT
    m.schemaname || '.' || m.relname AS relation,
    m.held,
    CASE WHEN m.size_bytes IS NOT NULL THEN pg_catalog.row_to_json(m) END AS size
FROM measured AS m
ORDER BY m.size_bytes DESC NULLS LAST, m.schemaname, m.relname
