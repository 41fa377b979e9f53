-- PostgreSQL 10 to 18. Readable for every role.
-- pg_relation_size takes ACCESS SHARE on the index; one that another session holds, or waits for, in ACCESS EXCLUSIVE is
-- not measured (size NULL).
WITH held AS (
    SELECT l.relation AS oid
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
      AND l.mode = 'AccessExclusiveLock'
      AND l.pid <> pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
)
SELECT
    s.schemaname::text,
    s.relname::text,
    s.indexrelname::text,
    s.idx_scan,
    s.idx_tup_read,
    s.idx_tup_fetch,
    CASE WHEN s.indexrelid NOT IN (SELECT h.oid FROM held AS h)
        THEN pg_catalog.pg_relation_size(s.indexrelid) END AS size_bytes,
    i.indisprimary OR i.indisunique OR i.indisexclusion OR i.indisreplident AS backs_constraint,
    i.indisvalid AS valid
FROM pg_catalog.pg_stat_user_indexes AS s
JOIN pg_catalog.pg_index AS i ON i.indexrelid = s.indexrelid
ORDER BY s.idx_scan DESC, s.schemaname, s.indexrelname
