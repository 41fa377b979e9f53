-- PostgreSQL 13 to 18. Readable for every role; takes no lock on what it tells about.
-- All databases, and of this one the 10 tables that are nearest to the age at which autovacuum freezes them whatever its
-- settings. A table's TOAST table is vacuumed with it, so the older of the two counts. A table's own
-- autovacuum_freeze_max_age can only lower the server's. Relations without rows of their own have no age (relfrozenxid 0).
WITH server AS (
    SELECT
        pg_catalog.current_setting('autovacuum_freeze_max_age')::int8 AS freeze,
        pg_catalog.current_setting('autovacuum_multixact_freeze_max_age')::int8 AS multixact_freeze
),
aged AS (
    SELECT
        'database' AS scope,
        d.datname,
        NULL::name AS schemaname,
        NULL::name AS relname,
        pg_catalog.quote_ident(d.datname) AS object,
        d.datname = pg_catalog.current_database() AS current,
        d.datallowconn AS connectable,
        false AS temporary,
        pg_catalog.age(d.datfrozenxid)::int8 AS xid_age,
        pg_catalog.mxid_age(d.datminmxid)::int8 AS multixact_age,
        s.freeze,
        s.multixact_freeze
    FROM pg_catalog.pg_database AS d
    CROSS JOIN server AS s
    UNION ALL
    (
        SELECT
            'table',
            pg_catalog.current_database(),
            n.nspname,
            c.relname,
            pg_catalog.format('%I.%I', n.nspname, c.relname),
            true,
            true,
            c.relpersistence = 't',
            x.xid_age,
            x.multixact_age,
            f.freeze,
            f.multixact_freeze
        FROM pg_catalog.pg_class AS c
        CROSS JOIN server AS s
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
        CROSS JOIN LATERAL (
            SELECT
                greatest(pg_catalog.age(c.relfrozenxid), pg_catalog.age(t.relfrozenxid))::int8 AS xid_age,
                greatest(pg_catalog.mxid_age(c.relminmxid), pg_catalog.mxid_age(t.relminmxid))::int8 AS multixact_age
        ) AS x
        CROSS JOIN LATERAL (
            SELECT
                least(s.freeze, pg_catalog.min(o.option_value::int8) FILTER (WHERE o.option_name = 'autovacuum_freeze_max_age')) AS freeze,
                least(
                    s.multixact_freeze, pg_catalog.min(o.option_value::int8) FILTER (WHERE o.option_name = 'autovacuum_multixact_freeze_max_age')
                ) AS multixact_freeze
            FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
        ) AS f
        WHERE c.relkind IN ('r', 'm') AND c.relfrozenxid <> 0
        ORDER BY
            greatest(x.xid_age::float8 / f.freeze, x.multixact_age::float8 / f.multixact_freeze) DESC, n.nspname, c.relname
        LIMIT 10
    )
)
SELECT
    a.scope,
    a.datname,
    a.schemaname,
    a.relname,
    a.object,
    a.current,
    a.connectable,
    a.temporary,
    a.xid_age,
    a.freeze AS freeze_max_age,
    pg_catalog.round(a.xid_age * 100.0 / 2147483648, 2) AS xid_percent,
    a.multixact_age,
    a.multixact_freeze AS multixact_freeze_max_age,
    pg_catalog.round(a.multixact_age * 100.0 / 2147483648, 2) AS multixact_percent
FROM aged AS a
ORDER BY
    a.scope, greatest(a.xid_age::float8 / a.freeze, a.multixact_age::float8 / a.multixact_freeze) DESC, a.object
