-- PostgreSQL 10 to 18. Readable for every role. $1: rows of the table at least; a small one is read without its indexes.
-- Left out, whatever their use: what keeps a promise (primary, unique, exclusion, any constraint's index, replica
-- identity), what a foreign key's column leads (deleting in the referenced table would read this one), the mark of CLUSTER
-- (undo would not bring it back), indexes of partitioned tables (dropped only with their parent), of extensions, of
-- temporary tables, and those not finished yet.
-- The counters of the table are asked from the functions: pg_stat_user_tables gathers all indexes of all tables first.
-- pg_get_indexdef and pg_relation_size take ACCESS SHARE; where another session holds, or waits for, ACCESS EXCLUSIVE they
-- are not called (held). pg_get_indexdef leaves out tablespace and comment; they are added.
WITH held AS (
    SELECT l.relation AS oid
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
      AND l.mode = 'AccessExclusiveLock'
      AND l.pid <> pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
),
unused AS (
    SELECT
        s.schemaname,
        s.indexrelname,
        s.indexrelid,
        s.idx_scan,
        pg_catalog.format('%I.%I', s.schemaname, s.relname) AS on_table,
        i.indexprs IS NOT NULL AS expression,
        pg_catalog.pg_stat_get_tuples_inserted(s.relid) + pg_catalog.pg_stat_get_tuples_updated(s.relid)
        + pg_catalog.pg_stat_get_tuples_deleted(s.relid) AS writes,
        ts.spcname,
        pg_catalog.obj_description(s.indexrelid, 'pg_class') AS comment,
        s.indexrelid IN (SELECT h.oid FROM held AS h) OR s.relid IN (SELECT h.oid FROM held AS h) AS held
    FROM pg_catalog.pg_stat_user_indexes AS s
    JOIN pg_catalog.pg_index AS i ON i.indexrelid = s.indexrelid
    JOIN pg_catalog.pg_class AS c ON c.oid = s.indexrelid
    JOIN pg_catalog.pg_class AS t ON t.oid = s.relid
    LEFT JOIN pg_catalog.pg_tablespace AS ts ON ts.oid = c.reltablespace
    WHERE s.idx_scan = 0
      AND greatest(pg_catalog.pg_stat_get_live_tuples(s.relid)::float8, t.reltuples::float8) >= $1::float8
      AND i.indisvalid AND i.indisready AND i.indislive
      AND NOT (i.indisprimary OR i.indisunique OR i.indisexclusion OR i.indisreplident OR i.indisclustered)
      AND c.relpersistence <> 't'
      AND NOT c.relispartition
      AND s.indexrelid NOT IN (SELECT k.conindid FROM pg_catalog.pg_constraint AS k)
      AND NOT EXISTS (
          SELECT 1 FROM pg_catalog.pg_constraint AS k
          WHERE k.contype = 'f' AND k.conrelid = s.relid AND i.indkey[0] = ANY (k.conkey)
      )
      AND NOT EXISTS (
          SELECT 1 FROM pg_catalog.pg_depend AS p
          WHERE p.deptype = 'e' AND p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.objid = s.indexrelid
      )
      AND NOT EXISTS (
          SELECT 1 FROM pg_catalog.pg_depend AS p
          WHERE p.deptype = 'e' AND p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.objid = s.relid
      )
)
SELECT
    pg_catalog.format('%I.%I', u.schemaname, u.indexrelname) AS object,
    u.on_table,
    u.idx_scan,
    u.expression,
    u.writes,
    u.held,
    CASE WHEN NOT u.held THEN pg_catalog.pg_relation_size(u.indexrelid) END AS size_bytes,
    pg_catalog.format('DROP INDEX CONCURRENTLY %I.%I', u.schemaname, u.indexrelname) AS sql,
    CASE WHEN NOT u.held THEN
        pg_catalog.pg_get_indexdef(u.indexrelid)
        || CASE WHEN u.spcname IS NULL THEN '' ELSE
            pg_catalog.format('; ALTER INDEX %I.%I SET TABLESPACE %I', u.schemaname, u.indexrelname, u.spcname) END
        || CASE WHEN u.comment IS NULL THEN '' ELSE
            pg_catalog.format('; COMMENT ON INDEX %I.%I IS %L', u.schemaname, u.indexrelname, u.comment) END
    END AS undo_sql
FROM unused AS u
ORDER BY size_bytes DESC NULLS LAST, object
