-- PostgreSQL 13 to 18. Readable for every role; the values only where it may SELECT the column (pg_stats), else NULL.
-- Takes no lock on the tables: catalogue and the planner's statistics only. Columns of two and four bytes that are a key alone, or
-- refer to one. Who fills them is not asked: an application may count by itself, and a column that refers to a bigint ends
-- before that. The values are those that the last analyse saw: the largest may be larger by now.
WITH keyed AS (
    SELECT i.indrelid AS oid, i.indkey[0] AS attnum
    FROM pg_catalog.pg_index AS i
    WHERE i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
    UNION
    SELECT k.conrelid, k.conkey[1]
    FROM pg_catalog.pg_constraint AS k
    WHERE k.contype = 'f' AND pg_catalog.array_length(k.conkey, 1) = 1
),
seen AS MATERIALIZED (
    SELECT
        n.nspname,
        c.relname,
        a.attname,
        pg_catalog.format_type(a.atttypid, NULL) AS data_type,
        CASE a.atttypid WHEN 21 THEN 32767 ELSE 2147483647 END::int8 AS most,
        coalesce(pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'), false)
        AND NOT pg_catalog.row_security_active(c.oid) AS readable,
        st.histogram_bounds::text::int8[] AS bounds,
        st.most_common_vals::text::int8[] AS common
    FROM keyed AS k
    JOIN pg_catalog.pg_class AS c ON c.oid = k.oid AND c.relkind = 'r' AND c.relpersistence <> 't'
    JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.oid AND a.attnum = k.attnum AND a.atttypid IN (21, 23)
    -- LIMIT keeps this a search by name for each column: joined, the view would be read whole for each.
    LEFT JOIN LATERAL (
        SELECT p.histogram_bounds, p.most_common_vals
        FROM pg_catalog.pg_stats AS p
        WHERE p.schemaname = n.nspname AND p.tablename = c.relname AND p.attname = a.attname AND NOT p.inherited
        LIMIT 1
    ) AS st ON true
),
furthest AS (
    SELECT s.*, v.least, v.largest
    FROM seen AS s
    CROSS JOIN LATERAL (
        SELECT pg_catalog.min(u.value) AS least, pg_catalog.max(u.value) AS largest
        FROM (
            SELECT s.bounds[1] AS value
            UNION ALL
            SELECT s.bounds[pg_catalog.cardinality(s.bounds)]
            UNION ALL
            SELECT pg_catalog.unnest(s.common)
        ) AS u
    ) AS v
),
measured AS (
    SELECT
        f.*,
        -- The smallest number of a type is one further from zero than its largest.
        CASE WHEN f.largest >= -f.least - 1 THEN f.largest ELSE f.least END AS furthest,
        greatest(f.largest * 100.0 / f.most, -f.least * 100.0 / (f.most + 1), 0) AS used
    FROM furthest AS f
)
SELECT
    m.nspname AS schemaname,
    m.relname,
    m.attname AS column_name,
    pg_catalog.format('%I.%I', m.nspname, m.relname) AS on_table,
    pg_catalog.quote_ident(m.attname) AS "column",
    m.data_type,
    m.furthest AS furthest_value,
    CASE WHEN m.furthest < 0 THEN -m.most - 1 ELSE m.most END AS limit_value,
    CASE WHEN m.furthest IS NOT NULL THEN pg_catalog.trunc(m.used, 2)::float8 END AS used_percent,
    m.readable
FROM measured AS m
ORDER BY used_percent DESC NULLS LAST, schemaname, relname, column_name
