-- PostgreSQL 10 to 18. Readable for every role; takes no lock on the tables. $1: dead rows at least, $2: percent of the live.
SELECT
    pg_catalog.format('%I.%I', t.schemaname, t.relname) AS object,
    t.n_live_tup,
    t.n_dead_tup,
    extract(epoch FROM greatest(t.last_vacuum, t.last_autovacuum))::float8 AS last_vacuum,
    pg_catalog.format('VACUUM (ANALYZE) %I.%I', t.schemaname, t.relname) AS sql
FROM pg_catalog.pg_stat_user_tables AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
WHERE c.relpersistence <> 't'
  AND t.n_dead_tup >= $1::int8
  AND t.n_dead_tup::float8 > t.n_live_tup::float8 * $2::float8 / 100
ORDER BY t.n_dead_tup DESC, object
