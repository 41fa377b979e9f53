-- PostgreSQL 13 to 16. Readable for every role.
-- two_phase (14) and conflicting (16) are read by name from the row as JSON, where a column that is not there is NULL. On a
-- standby the log ends where it was received, or replayed when it came from an archive.
-- GREATEST passes over NULL, so what is unknown has to be kept from it.
WITH log_end AS (
    SELECT
        CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
            ELSE pg_catalog.pg_current_wal_lsn() END AS lsn
)
SELECT
    s.slot_name,
    s.slot_type,
    s.plugin,
    s.database,
    s.temporary,
    coalesce((pg_catalog.to_jsonb(s) ->> 'two_phase')::bool, false) AS two_phase,
    false AS failover,
    false AS synced,
    s.active,
    s.active_pid,
    CASE WHEN s.restart_lsn IS NOT NULL THEN greatest(0, pg_catalog.pg_wal_lsn_diff(p.lsn, s.restart_lsn))::int8 END AS retained_bytes,
    CASE WHEN s.confirmed_flush_lsn IS NOT NULL THEN greatest(0, pg_catalog.pg_wal_lsn_diff(p.lsn, s.confirmed_flush_lsn))::int8 END AS unconfirmed_bytes,
    s.wal_status,
    s.safe_wal_size AS safe_wal_bytes,
    CASE WHEN (pg_catalog.to_jsonb(s) ->> 'conflicting')::bool THEN 'conflicting' END AS invalidation_reason,
    pg_catalog.age(s.xmin)::int8 AS xmin_age,
    pg_catalog.age(s.catalog_xmin)::int8 AS catalog_xmin_age
FROM pg_catalog.pg_replication_slots AS s
CROSS JOIN log_end AS p
ORDER BY s.wal_status = 'lost' DESC NULLS LAST, pg_catalog.pg_wal_lsn_diff(p.lsn, s.restart_lsn) DESC NULLS LAST, s.slot_name
