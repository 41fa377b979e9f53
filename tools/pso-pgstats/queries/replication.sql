-- PostgreSQL 13 to 18. A role without pg_read_all_stats sees that somebody receives, and no more.
-- One row for each process that sends the log of changes; on a standby also one for what it receives and replays. Positions
-- are compared with the end of the log here: where it is written, or on a standby was received (or replayed, when it came
-- from an archive).
-- GREATEST passes over NULL, so what is unknown has to be kept from it.
WITH here AS (
    SELECT
        pg_catalog.pg_is_in_recovery() AS in_recovery,
        CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
            ELSE pg_catalog.pg_current_wal_lsn() END AS lsn
),
seen AS (
    SELECT
        'sender' AS direction,
        r.pid,
        r.usename,
        r.application_name,
        pg_catalog.host(r.client_addr) AS client_addr,
        s.slot_name,
        r.state,
        r.sync_state,
        CASE WHEN r.sent_lsn IS NOT NULL THEN greatest(0, pg_catalog.pg_wal_lsn_diff(h.lsn, r.sent_lsn))::int8 END AS sent_lag_bytes,
        CASE WHEN r.flush_lsn IS NOT NULL THEN greatest(0, pg_catalog.pg_wal_lsn_diff(h.lsn, r.flush_lsn))::int8 END AS flush_lag_bytes,
        CASE WHEN r.replay_lsn IS NOT NULL THEN greatest(0, pg_catalog.pg_wal_lsn_diff(h.lsn, r.replay_lsn))::int8 END AS replay_lag_bytes,
        CASE WHEN r.flush_lag IS NOT NULL THEN greatest(0, extract(epoch FROM r.flush_lag) * 1000)::int8 END AS flush_lag_ms,
        CASE WHEN r.replay_lag IS NOT NULL THEN greatest(0, extract(epoch FROM r.replay_lag) * 1000)::int8 END AS replay_lag_ms,
        pg_catalog.age(r.backend_xmin)::int8 AS xmin_age,
        NULL::bool AS replay_paused,
        r.state IS NULL AS hidden
    FROM pg_catalog.pg_stat_replication AS r
    CROSS JOIN here AS h
    LEFT JOIN pg_catalog.pg_replication_slots AS s ON s.active_pid = r.pid
    UNION ALL
    SELECT
        'receiver',
        w.pid,
        NULL,
        NULL,
        w.sender_host,
        w.slot_name,
        w.status,
        NULL,
        NULL,
        NULL,
        greatest(0, pg_catalog.pg_wal_lsn_diff(h.lsn, pg_catalog.pg_last_wal_replay_lsn()))::int8,
        NULL,
        CASE
            WHEN h.lsn = pg_catalog.pg_last_wal_replay_lsn() THEN 0
            WHEN pg_catalog.pg_last_xact_replay_timestamp() IS NOT NULL THEN greatest(
                0, extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()) * 1000
            )::int8
        END,
        NULL,
        pg_catalog.pg_is_wal_replay_paused(),
        w.pid IS NOT NULL AND w.status IS NULL
    FROM here AS h
    LEFT JOIN pg_catalog.pg_stat_wal_receiver AS w ON true
    WHERE h.in_recovery
)
SELECT s.*
FROM seen AS s
ORDER BY s.direction, s.replay_lag_bytes DESC NULLS LAST, s.pid
