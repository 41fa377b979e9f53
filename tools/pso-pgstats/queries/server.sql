-- PostgreSQL 13 to 18. Readable for every role. One row, the basis of all others.
-- stats_since_at: since when the counters of this database have been counting, never earlier than in truth. Without a reset
-- of this database (always so before the first one since 15) it is the later of the server's start and the last loss of all
-- counters, which a crash causes and which bgwriter's stats_reset shows.
-- Settings as they are for a new session (reset_val): this one has set some for itself.
SELECT
    pg_catalog.current_setting('server_version_num')::int4 AS version_num,
    pg_catalog.current_setting('server_version') AS version,
    pg_catalog.current_database() AS database,
    pg_catalog.quote_ident(current_user) AS role,
    pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS reads_all_stats,
    (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user) AS is_superuser,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    pg_catalog.clock_timestamp() AS now,
    pg_catalog.pg_postmaster_start_time() AS started_at,
    d.stats_reset AS stats_reset_at,
    coalesce(d.stats_reset, greatest(pg_catalog.pg_postmaster_start_time(), b.stats_reset)) AS stats_since_at,
    CASE WHEN d.stats_reset IS NOT NULL THEN 'pg_stat_database.stats_reset' ELSE 'server start' END AS stats_source,
    (
        SELECT pg_catalog.jsonb_object_agg(s.name, s.reset_val)
        FROM pg_catalog.pg_settings AS s
        WHERE s.reset_val IS NOT NULL AND s.name IN (
            'allow_alter_system',
            'autovacuum', 'autovacuum_analyze_scale_factor', 'autovacuum_analyze_threshold', 'autovacuum_freeze_max_age',
            'autovacuum_max_workers', 'autovacuum_multixact_freeze_max_age', 'autovacuum_naptime', 'autovacuum_vacuum_insert_scale_factor',
            'autovacuum_vacuum_insert_threshold', 'autovacuum_vacuum_max_threshold', 'autovacuum_vacuum_scale_factor',
            'autovacuum_vacuum_threshold', 'block_size', 'checkpoint_timeout', 'data_checksums', 'fsync', 'full_page_writes',
            'hot_standby_feedback', 'idle_in_transaction_session_timeout', 'max_connections', 'max_locks_per_transaction', 'max_prepared_transactions',
            'max_replication_slots', 'max_slot_wal_keep_size', 'max_wal_size', 'pg_stat_statements.max',
            'recovery_min_apply_delay', 'reserved_connections', 'shared_buffers', 'superuser_reserved_connections', 'track_activities', 'track_counts',
            'track_io_timing', 'vacuum_failsafe_age', 'vacuum_multixact_failsafe_age', 'wal_segment_size', 'work_mem'
        )
    ) AS settings
FROM pg_catalog.pg_stat_bgwriter AS b
LEFT JOIN pg_catalog.pg_stat_database AS d ON d.datname = pg_catalog.current_database()
