-- PostgreSQL 13 to 18. Readable for every role; of other roles' sessions a role without pg_read_all_stats sees who they are and
-- what they wait for, not what they do.
-- One row a session that waits for a lock or is waited for. The lock manager is read once; pg_blocking_pids, which stops it
-- for a moment, is asked only of who waits. A session waits for one lock at most, each of its parallel workers for one more.
-- pg_locks.waitstart is there from 14 on, and NULL for a moment when a wait begins.
-- A prepared transaction has no process: pg_blocking_pids calls it 0. Its locks have the virtual transaction that it began
-- as, and one of them is that on its own transaction id, which tells which one it is.
WITH locks AS MATERIALIZED (
    SELECT l.* FROM pg_catalog.pg_locks AS l
),
waits AS MATERIALIZED (
    SELECT l.*, pg_catalog.pg_blocking_pids(l.pid) AS blockers
    FROM locks AS l
    WHERE NOT l.granted AND l.pid <> pg_catalog.pg_backend_pid()
),
sessions AS MATERIALIZED (
    SELECT a.* FROM pg_catalog.pg_stat_activity AS a
),
-- The workers of a parallel query stand for their leader, whom pg_blocking_pids names too.
seen AS (
    SELECT
        w.*,
        CASE WHEN a.backend_type = 'parallel worker' THEN coalesce(a.leader_pid, w.pid) ELSE w.pid END AS waiter,
        a.query_start
    FROM waits AS w
    LEFT JOIN sessions AS a ON a.pid = w.pid
    WHERE pg_catalog.cardinality(w.blockers) > 0
),
pids AS (
    SELECT s.waiter AS pid FROM seen AS s
    UNION
    SELECT b.pid FROM seen AS s, LATERAL pg_catalog.unnest(s.blockers) AS b(pid) WHERE b.pid <> 0
),
named AS (
    SELECT
        s.*,
        CASE
            WHEN s.relation IS NOT NULL THEN
                coalesce(
                    (
                        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
                        FROM pg_catalog.pg_class AS c
                        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                        WHERE c.oid = s.relation AND (s.database = 0 OR s.database = d.oid)
                    ),
                    pg_catalog.format('relation %s of database %s', s.relation, s.database)
                ) || CASE WHEN s.locktype = 'tuple' THEN pg_catalog.format(' (%s,%s)', s.page, s.tuple) ELSE '' END
            -- Who waits for a transaction wants a row that it has changed, and holds the place in the queue for that row.
            WHEN s.locktype = 'transactionid' THEN coalesce(
                (
                    SELECT pg_catalog.format('%I.%I (%s,%s)', n.nspname, c.relname, t.page, t.tuple)
                    FROM locks AS t
                    JOIN pg_catalog.pg_class AS c ON c.oid = t.relation
                    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                    WHERE t.pid = s.pid AND t.locktype = 'tuple' AND t.granted AND t.database = d.oid
                    ORDER BY t.relation, t.page, t.tuple
                    LIMIT 1
                ),
                'transaction ' || s.transactionid::text
            )
            WHEN s.locktype = 'virtualxid' THEN 'virtual transaction ' || s.virtualxid
            WHEN s.locktype = 'advisory' AND s.objsubid = 1 THEN
                'advisory ' || ((s.classid::int8 << 32) | s.objid::int8)::text
            WHEN s.locktype = 'advisory' THEN pg_catalog.format('advisory (%s,%s)', s.classid, s.objid)
            WHEN s.classid IS NOT NULL THEN pg_catalog.format(
                '%s %s', coalesce((SELECT c.relname::text FROM pg_catalog.pg_class AS c WHERE c.oid = s.classid), s.classid::text), s.objid
            )
            ELSE s.locktype
        END AS lock_object,
        CASE
            WHEN pg_catalog.current_setting('server_version_num')::int4 < 140000 THEN s.query_start
            ELSE (pg_catalog.to_jsonb(s) ->> 'waitstart')::timestamptz
        END AS waits_since
    FROM seen AS s
    JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
)
SELECT
    p.pid,
    -- The place in the tree follows from all rows.
    0 AS root_pid,
    0 AS depth,
    '' AS path,
    0 AS blocks,
    0 AS blocks_in_all,
    false AS deadlock,
    w.blockers,
    (
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'gid', x.gid, 'datname', x.database, 'usename', x.owner, 'xact_start', x.prepared, 'mode', h.mode,
            'xact_ms', greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - x.prepared) * 1000)::int8
        ) ORDER BY x.prepared, x.gid)
        FROM locks AS h
        JOIN locks AS o ON o.virtualtransaction = h.virtualtransaction AND o.pid IS NULL AND o.locktype = 'transactionid'
        JOIN pg_catalog.pg_prepared_xacts AS x ON x.transaction = o.transactionid
        WHERE 0 = ANY (w.blockers)
          AND h.pid IS NULL
          AND h.granted
          AND h.locktype = w.locktype
          AND (h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid, h.classid, h.objid, h.objsubid)
              IS NOT DISTINCT FROM
              (w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid, w.objid, w.objsubid)
    ) AS prepared,
    CASE WHEN w.waiter IS NOT NULL
        THEN coalesce(greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - w.waits_since) * 1000)::int8, 0) END AS waiting_ms,
    w.locktype,
    w.mode,
    w.lock_object,
    a.datname,
    a.usename,
    a.application_name,
    pg_catalog.host(a.client_addr) AS client_addr,
    a.backend_type,
    a.state,
    a.backend_start,
    a.xact_start,
    CASE WHEN a.xact_start IS NOT NULL
        THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000)::int8 END AS xact_ms,
    CASE WHEN a.state_change IS NOT NULL
        THEN greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - a.state_change) * 1000)::int8 END AS state_ms,
    pg_catalog.left(a.query, 1000) AS query
FROM pids AS p
LEFT JOIN named AS w ON w.waiter = p.pid
LEFT JOIN sessions AS a ON a.pid = p.pid
ORDER BY p.pid, w.pid
