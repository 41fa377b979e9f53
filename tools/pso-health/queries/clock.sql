-- The server's clock, in seconds since 1970. clock_timestamp() moves on within a transaction, now() does not.
-- PostgreSQL: all versions. Who can read it: everybody.
SELECT extract(epoch FROM clock_timestamp())::float8 AS seconds
