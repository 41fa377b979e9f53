-- PostgreSQL 13 to 16. Readable for every role. One row. Here restartpoints of a standby count as checkpoints.
SELECT
    b.checkpoints_timed AS num_timed,
    b.checkpoints_req AS num_requested,
    CASE WHEN b.checkpoints_timed + b.checkpoints_req > 0
        THEN pg_catalog.round(b.checkpoints_req * 100.0 / (b.checkpoints_timed + b.checkpoints_req), 2) END AS requested_percent,
    b.checkpoint_write_time::int8 AS write_ms,
    b.checkpoint_sync_time::int8 AS sync_ms,
    b.buffers_checkpoint AS buffers_written,
    b.buffers_clean,
    b.maxwritten_clean,
    b.buffers_backend,
    b.buffers_backend_fsync,
    b.buffers_alloc,
    b.stats_reset AS stats_reset_at,
    s.setting::int8 * 1048576 AS max_wal_size_bytes,
    s.source AS max_wal_size_source
FROM pg_catalog.pg_stat_bgwriter AS b
CROSS JOIN pg_catalog.pg_settings AS s
WHERE s.name = 'max_wal_size'
