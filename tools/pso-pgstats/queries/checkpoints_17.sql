-- PostgreSQL 17 and 18. Readable for every role. One row. What backends write themselves moved to pg_stat_io.
SELECT
    c.num_timed,
    c.num_requested,
    CASE WHEN c.num_timed + c.num_requested > 0
        THEN pg_catalog.round(c.num_requested * 100.0 / (c.num_timed + c.num_requested), 2) END AS requested_percent,
    c.restartpoints_timed,
    c.restartpoints_req AS restartpoints_requested,
    c.restartpoints_done,
    c.write_time::int8 AS write_ms,
    c.sync_time::int8 AS sync_ms,
    c.buffers_written,
    b.buffers_clean,
    b.maxwritten_clean,
    b.buffers_alloc,
    c.stats_reset AS stats_reset_at,
    s.setting::int8 * 1048576 AS max_wal_size_bytes,
    s.source AS max_wal_size_source
FROM pg_catalog.pg_stat_checkpointer AS c
CROSS JOIN pg_catalog.pg_stat_bgwriter AS b
CROSS JOIN pg_catalog.pg_settings AS s
WHERE s.name = 'max_wal_size'
