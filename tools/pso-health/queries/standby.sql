-- How far a standby has come. Everything is NULL on a primary.
-- PostgreSQL: 10 and newer. Who can read it: everybody; of pg_stat_wal_receiver only the fact that there is a row is asked
-- for, which every role may know (its other columns need pg_read_all_stats).
-- replayed_at is the time of the last commit that was replayed: on an idle primary it grows old although nothing is missing,
-- so it counts only while received and replayed differ.
SELECT pg_last_wal_receive_lsn()::text AS received,
       pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn() AS caught_up,
       pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::float8 AS behind_bytes,
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS replayed_seconds_ago,
       EXISTS (SELECT FROM pg_stat_wal_receiver) AS receiving,
       pg_is_wal_replay_paused() AS paused
