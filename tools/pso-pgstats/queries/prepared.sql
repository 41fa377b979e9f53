-- PostgreSQL 13 to 18. Readable for every role. Prepared transactions of all databases; on a standby there are none to see.
SELECT
    x.gid,
    x.database,
    x.owner,
    x.prepared AS prepared_at,
    greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - x.prepared) * 1000)::int8 AS prepared_ms,
    pg_catalog.age(x.transaction)::int8 AS xid_age
FROM pg_catalog.pg_prepared_xacts AS x
ORDER BY x.prepared, x.gid
