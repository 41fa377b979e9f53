-- PostgreSQL 18. Readable for every role. An operation may be of several pages.
-- Without track_io_timing all times are 0, which is none.
SELECT
    i.backend_type,
    i.object,
    i.context,
    i.reads,
    i.read_bytes::int8 AS read_bytes,
    nullif(i.read_time, 0)::int8 AS read_ms,
    i.writes,
    i.write_bytes::int8 AS write_bytes,
    nullif(i.write_time, 0)::int8 AS write_ms,
    i.writebacks,
    nullif(i.writeback_time, 0)::int8 AS writeback_ms,
    i.extends,
    i.extend_bytes::int8 AS extend_bytes,
    nullif(i.extend_time, 0)::int8 AS extend_ms,
    i.hits,
    i.evictions,
    i.reuses,
    i.fsyncs,
    nullif(i.fsync_time, 0)::int8 AS fsync_ms,
    i.stats_reset AS stats_reset_at
FROM pg_catalog.pg_stat_io AS i
WHERE greatest(i.reads, i.writes, i.writebacks, i.extends, i.hits, i.evictions, i.reuses, i.fsyncs) > 0
ORDER BY
    coalesce(i.read_bytes::int8, 0) + coalesce(i.write_bytes::int8, 0) + coalesce(i.extend_bytes::int8, 0) DESC, i.backend_type, i.object, i.context
