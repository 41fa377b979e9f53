-- PostgreSQL 13 to 18. Readable for every role; of other roles' commands a role without pg_read_all_stats sees only the pid.
-- What is in braces below is progress_copy.sql from 14 on, where COPY began to tell, else nothing.
-- Commands in this database, and base backups, which are of all. Each phase counts something else. The indexes that a vacuum
-- has been through are counted from 17 on; columns that not every version has are read by name from the row as JSON, where one
-- that is not there is NULL.
WITH here AS (
    SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()
),
seen AS (
    SELECT
        v.pid,
        v.datid,
        v.relid,
        NULL::oid AS indexrelid,
        'VACUUM' AS command,
        v.phase,
        CASE
            WHEN v.phase = 'scanning heap' THEN v.heap_blks_scanned
            WHEN v.phase = 'vacuuming heap' THEN v.heap_blks_vacuumed
            WHEN v.phase LIKE '%indexes' THEN (pg_catalog.to_jsonb(v) ->> 'indexes_processed')::int8
        END AS done,
        CASE
            WHEN v.phase IN ('scanning heap', 'vacuuming heap') THEN v.heap_blks_total
            WHEN v.phase LIKE '%indexes' THEN (pg_catalog.to_jsonb(v) ->> 'indexes_total')::int8
        END AS total,
        CASE
            WHEN v.phase IN ('scanning heap', 'vacuuming heap') THEN 'blocks'
            WHEN v.phase LIKE '%indexes' AND pg_catalog.to_jsonb(v) ? 'indexes_total' THEN 'indexes'
        END AS unit,
        v.index_vacuum_count AS rounds,
        NULL::int8 AS tuples_done,
        NULL::int8 AS waits_for_pid
    FROM pg_catalog.pg_stat_progress_vacuum AS v
    UNION ALL
    SELECT
        a.pid, a.datid, a.relid, NULL, 'ANALYZE', a.phase,
        CASE WHEN a.phase LIKE 'acquiring%' THEN a.sample_blks_scanned END,
        CASE WHEN a.phase LIKE 'acquiring%' THEN a.sample_blks_total END,
        CASE WHEN a.phase LIKE 'acquiring%' THEN 'blocks' END,
        NULL, NULL, NULL
    FROM pg_catalog.pg_stat_progress_analyze AS a
    UNION ALL
    SELECT
        i.pid, i.datid, i.relid, i.index_relid, coalesce(i.command, 'CREATE INDEX'), i.phase,
        CASE
            WHEN i.phase LIKE 'waiting for%' THEN i.lockers_done
            WHEN i.blocks_total > 0 THEN i.blocks_done
            WHEN i.tuples_total > 0 THEN i.tuples_done
        END,
        CASE
            WHEN i.phase LIKE 'waiting for%' THEN i.lockers_total
            WHEN i.blocks_total > 0 THEN i.blocks_total
            WHEN i.tuples_total > 0 THEN i.tuples_total
        END,
        CASE
            WHEN i.phase LIKE 'waiting for%' THEN 'lockers'
            WHEN i.blocks_total > 0 THEN 'blocks'
            WHEN i.tuples_total > 0 THEN 'tuples'
        END,
        NULL, NULL, i.current_locker_pid
    FROM pg_catalog.pg_stat_progress_create_index AS i
    UNION ALL
    SELECT
        c.pid, c.datid, c.relid, c.cluster_index_relid, coalesce(c.command, 'CLUSTER'), c.phase,
        CASE
            WHEN c.phase = 'seq scanning heap' THEN c.heap_blks_scanned
            WHEN c.phase = 'index scanning heap' THEN c.heap_tuples_scanned
            WHEN c.phase = 'writing new heap' THEN c.heap_tuples_written
        END,
        CASE
            WHEN c.phase = 'seq scanning heap' THEN c.heap_blks_total
            WHEN c.phase = 'writing new heap' THEN c.heap_tuples_scanned
        END,
        CASE
            WHEN c.phase = 'seq scanning heap' THEN 'blocks'
            WHEN c.phase IN ('index scanning heap', 'writing new heap') THEN 'tuples'
        END,
        c.index_rebuild_count, NULL, NULL
    FROM pg_catalog.pg_stat_progress_cluster AS c
    UNION ALL
    SELECT
        b.pid, NULL, NULL, NULL, 'BASE_BACKUP', b.phase, b.backup_streamed, b.backup_total, 'bytes', NULL, NULL, NULL
    FROM pg_catalog.pg_stat_progress_basebackup AS b
    {copy}
)
SELECT
    s.pid,
    s.command,
    s.phase,
    coalesce(
        (
            SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.oid = s.relid
        ),
        -- Made by the same transaction, which has not ended.
        'relation ' || nullif(s.relid, 0)::text
    ) AS object,
    (
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = s.indexrelid
    ) AS index_object,
    s.done,
    s.total,
    s.unit,
    -- least() passes over NULL.
    CASE WHEN s.total > 0 AND s.done IS NOT NULL
        THEN pg_catalog.round(least(100, s.done * 100.0 / s.total), 2)::float8 END AS percent,
    s.rounds,
    s.tuples_done,
    nullif(s.waits_for_pid, 0)::int4 AS waits_for_pid,
    CASE WHEN a.query_start IS NOT NULL
        THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.query_start) * 1000)::int8 END AS running_ms,
    a.backend_type,
    a.usename,
    a.application_name,
    a.wait_event_type || ':' || a.wait_event AS wait_event,
    a.backend_type IS NULL AS hidden
FROM seen AS s
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = s.pid
WHERE s.datid = (SELECT h.oid FROM here AS h) OR s.datid IS NULL
ORDER BY a.query_start NULLS LAST, s.pid
