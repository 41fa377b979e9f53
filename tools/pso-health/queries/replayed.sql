-- Whether a standby has replayed up to a place by now.
-- PostgreSQL: 10 and newer. Who can read it: everybody.
SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn AS caught_up
