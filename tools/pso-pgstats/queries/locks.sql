-- PostgreSQL 13 to 18. Readable for every role; of other roles' sessions a role without pg_read_all_stats does not see the state.
-- The locks of this database, and those on what all databases share, that are waited for, or held on a relation in a mode that
-- keeps others from changing rows or definitions. Beside them what there is in all, of all databases: how many of each mode,
-- and how many entries of the lock table they take; weak locks on relations are kept with the sessions first (fastpath), those
-- of serialisable reads in a table of their own. Always gives a row. The lock manager is read once, without our own locks.
-- pg_locks.waitstart is there from 14 on, and NULL for a moment when a wait begins.
-- A prepared transaction has no pid; its locks have the virtual transaction that it began as, and one of them is that on its
-- own transaction id, which tells which one it is.
WITH locks AS MATERIALIZED (
    SELECT l.* FROM pg_catalog.pg_locks AS l WHERE l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
),
sessions AS MATERIALIZED (
    SELECT a.* FROM pg_catalog.pg_stat_activity AS a
),
here AS (
    SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()
),
strong AS (
    SELECT
        l.*,
        a.datname,
        a.usename,
        a.application_name,
        a.state,
        a.query_start,
        coalesce(a.xact_start, x.prepared) AS begun,
        x.gid,
        x.owner,
        CASE l.mode
            WHEN 'AccessExclusiveLock' THEN 1
            WHEN 'ExclusiveLock' THEN 2
            WHEN 'ShareRowExclusiveLock' THEN 3
            WHEN 'ShareLock' THEN 4
            WHEN 'ShareUpdateExclusiveLock' THEN 5
            ELSE 6
        END AS weakness
    FROM locks AS l
    CROSS JOIN here AS h
    LEFT JOIN sessions AS a ON a.pid = l.pid
    LEFT JOIN locks AS o
        ON l.pid IS NULL AND o.pid IS NULL AND o.virtualtransaction = l.virtualtransaction AND o.locktype = 'transactionid'
    LEFT JOIN pg_catalog.pg_prepared_xacts AS x ON x.transaction = o.transactionid
    WHERE coalesce(nullif(l.database, 0) = h.oid, a.datid = h.oid, x.database = pg_catalog.current_database(), false)
      AND (
          NOT l.granted
          OR (
              l.locktype = 'relation'
              AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
          )
      )
),
shown AS (
    SELECT
        s.granted AS held,
        s.weakness,
        s.begun,
        pg_catalog.jsonb_build_object(
            'pid', s.pid,
            'gid', s.gid,
            'locktype', s.locktype,
            'mode', s.mode,
            'granted', s.granted,
            'lock_object', CASE
                WHEN s.relation IS NOT NULL THEN
                    coalesce(
                        (
                            SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
                            FROM pg_catalog.pg_class AS c
                            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                            WHERE c.oid = s.relation AND s.database IN (0, h.oid)
                        ),
                        -- Made by a transaction that has not ended.
                        pg_catalog.format('relation %s', s.relation)
                    ) || CASE WHEN s.locktype = 'tuple' THEN pg_catalog.format(' (%s,%s)', s.page, s.tuple) ELSE '' END
                WHEN s.locktype = 'transactionid' THEN 'transaction ' || s.transactionid::text
                WHEN s.locktype = 'virtualxid' THEN 'virtual transaction ' || s.virtualxid
                WHEN s.locktype = 'advisory' AND s.objsubid = 1
                    THEN 'advisory ' || ((s.classid::int8 << 32) | s.objid::int8)::text
                WHEN s.locktype = 'advisory' THEN pg_catalog.format('advisory (%s,%s)', s.classid, s.objid)
                WHEN s.classid IS NOT NULL THEN pg_catalog.format(
                    '%s %s',
                    coalesce((SELECT c.relname::text FROM pg_catalog.pg_class AS c WHERE c.oid = s.classid), s.classid::text),
                    s.objid
                )
                ELSE s.locktype
            END,
            'waiting_ms', CASE
                WHEN s.granted THEN NULL
                WHEN pg_catalog.current_setting('server_version_num')::int4 < 140000
                    THEN coalesce(greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - s.query_start) * 1000)::int8, 0)
                ELSE coalesce(
                    greatest(
                        0, extract(epoch FROM pg_catalog.clock_timestamp() - (pg_catalog.to_jsonb(s) ->> 'waitstart')::timestamptz) * 1000
                    )::int8, 0
                )
            END,
            'usename', coalesce(s.usename, s.owner),
            'application_name', s.application_name,
            'state', s.state,
            'xact_start', s.begun,
            'xact_ms', CASE WHEN s.begun IS NOT NULL
                THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - s.begun) * 1000)::int8 END
        ) AS lock
    FROM strong AS s
    CROSS JOIN here AS h
)
SELECT
    v.lock,
    (
        SELECT pg_catalog.jsonb_object_agg(m.mode, m.locks)
        FROM (SELECT l.mode, pg_catalog.count(*) AS locks FROM locks AS l GROUP BY l.mode) AS m
    ) AS modes,
    (
        SELECT pg_catalog.count(*)
        FROM (
            SELECT DISTINCT
                l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid, l.objsubid
            FROM locks AS l
            WHERE NOT l.fastpath AND l.mode <> 'SIReadLock'
        ) AS d
    ) AS entries
FROM (SELECT 1) AS one
LEFT JOIN shown AS v ON true
ORDER BY v.held, v.weakness, v.begun NULLS LAST, v.lock ->> 'lock_object'
