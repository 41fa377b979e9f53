-- PostgreSQL 10 and newer (backend_type); reserved_connections is there since 16.
-- Readable by any role. Of other users' sessions backend_type is NULL without pg_read_all_stats: whoever has a database and
-- a user is counted then.
-- reset_val is what the server, database or role sets: the session of a watcher is read-only in any case.
SELECT pg_is_in_recovery() AS standby,
       (SELECT reset_val = 'on' FROM pg_settings WHERE name = 'default_transaction_read_only') AS read_only,
       current_setting('server_version') AS version,
       current_setting('max_connections')::int4
         - current_setting('superuser_reserved_connections')::int4
         - coalesce(current_setting('reserved_connections', true)::int4, 0) AS usable,
       (SELECT count(*)::int4
          FROM pg_stat_activity
         WHERE datid IS NOT NULL
           AND usesysid IS NOT NULL
           AND coalesce(backend_type, 'client backend') = 'client backend') AS used
