-- The standbys of a primary, and how far behind each is. A backup that runs (pg_basebackup) is none.
-- PostgreSQL: 10 and newer. Who can read it: everybody sees which there are; state and places need pg_read_all_stats, which
-- pg_monitor has. replay_lag is NULL when all is replayed and nothing new comes.
SELECT application_name AS standby,
       state,
       extract(epoch FROM replay_lag)::float8 AS lag_seconds,
       greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::float8 AS behind_bytes
  FROM pg_stat_replication
 WHERE state IS DISTINCT FROM 'backup'
 ORDER BY application_name, pid
