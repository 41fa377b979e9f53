-- PostgreSQL 13 to 18. Readable for every role; statistics of columns only where it may SELECT them (pg_stats), else NULL.
-- Takes no lock but on tables that were never vacuumed nor analysed: their size is asked for unless another session holds, or
-- waits for, them in ACCESS EXCLUSIVE (0). Pages and rows of all others are those of the last vacuum or analyse, which belong
-- together. Relations of less than 16 pages are left out: nothing is to be gained there, and a database may have very many.
-- What a row takes is computed by the caller, from its columns in their order: length, alignment, average width in bytes, share
-- of nulls, distinct values, dropped.
WITH held AS (
    SELECT l.relation AS oid
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
      AND l.mode = 'AccessExclusiveLock'
      AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
),
-- Operator classes whose equal values are the same bytes, which deduplication wants: they have support function 4.
same AS (
    SELECT pg_catalog.array_agg(o.oid) AS classes
    FROM pg_catalog.pg_opclass AS o
    JOIN pg_catalog.pg_amproc AS p
        ON p.amprocfamily = o.opcfamily AND p.amproclefttype = o.opcintype AND p.amprocrighttype = o.opcintype AND p.amprocnum = 4
),
seen AS (
    SELECT
        c.oid,
        n.nspname AS schemaname,
        c.relname,
        c.relkind,
        coalesce(t.relname, c.relname) AS tablename,
        coalesce(t.oid, c.oid) AS table_oid,
        i.indkey,
        i.indisunique,
        i.indisunique IS FALSE
        AND i.indnatts = i.indnkeyatts
        AND i.indclass::oid[] OPERATOR(pg_catalog.<@) (SELECT s.classes FROM same AS s)
        AND NOT EXISTS (
            SELECT 1 FROM pg_catalog.pg_collation AS co
            WHERE co.oid = ANY (i.indcollation::oid[]) AND NOT co.collisdeterministic
        ) AS deduplicates,
        c.reloptions,
        c.relnatts,
        c.relpages,
        c.reltuples,
        -- A table has no indrelid, and NULL IN (…) is neither true nor false.
        c.oid IN (SELECT h.oid FROM held AS h) OR coalesce(i.indrelid, c.oid) IN (SELECT h.oid FROM held AS h) AS held
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
    LEFT JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
    LEFT JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
    WHERE (c.relkind IN ('r', 'm') OR c.relkind = 'i' AND am.amname = 'btree')
      AND c.relpersistence <> 't'
      AND (c.relpages >= 16 OR c.relpages = 0 AND c.relkind <> 'i')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname !~ '^pg_toast'
),
large AS (
    SELECT s.*, s.relpages::int8 * b.block_size AS size_bytes, b.block_size
    FROM seen AS s
    CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::int8 AS block_size) AS b
    WHERE s.relpages >= 16
    UNION ALL
    SELECT s.*, coalesce(z.size_bytes, 0), b.block_size
    FROM seen AS s
    CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::int8 AS block_size) AS b
    CROSS JOIN LATERAL (SELECT CASE WHEN NOT s.held THEN pg_catalog.pg_relation_size(s.oid) END AS size_bytes) AS z
    WHERE s.relpages = 0 AND (s.held OR z.size_bytes >= 16 * b.block_size)
),
-- Statistics are those of the table's column; those of an index are of its expressions.
parts AS (
    SELECT
        l.oid,
        a.attnum,
        a.attlen,
        a.attalign,
        a.attisdropped,
        l.schemaname,
        CASE WHEN l.relkind = 'i' AND l.indkey[a.attnum - 1] <> 0 THEN l.tablename ELSE l.relname END AS relname,
        coalesce(ta.attname, a.attname) AS attname
    FROM large AS l
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = l.oid AND a.attnum > 0
    LEFT JOIN pg_catalog.pg_attribute AS ta
        ON l.relkind = 'i' AND l.indkey[a.attnum - 1] <> 0 AND ta.attrelid = l.table_oid AND ta.attnum = l.indkey[a.attnum - 1]
),
shaped AS (
    SELECT
        p.oid,
        pg_catalog.json_agg(
            pg_catalog.json_build_array(p.attlen, p.attalign, st.avg_width, st.null_frac, st.n_distinct, p.attisdropped)
            ORDER BY p.attnum
        ) AS columns
    FROM parts AS p
    LEFT JOIN pg_catalog.pg_stats AS st
        ON st.schemaname = p.schemaname AND st.tablename = p.relname AND st.attname = p.attname AND NOT st.inherited
    GROUP BY p.oid
)
SELECT
    l.oid::int8 AS oid,
    l.schemaname,
    l.relname,
    pg_catalog.format('%I.%I', l.schemaname, l.relname) AS object,
    CASE WHEN l.relkind = 'i' THEN pg_catalog.format('%I.%I', l.schemaname, l.tablename) END AS on_table,
    l.relkind,
    l.size_bytes,
    l.block_size,
    l.relpages > 0 AND l.reltuples >= 0 AS analyzed,
    l.reltuples::float8 AS reltuples,
    coalesce(o.fillfactor, CASE WHEN l.relkind = 'i' THEN 90 ELSE 100 END) AS fillfactor,
    l.deduplicates AND coalesce(o.deduplicates, true) AS deduplicates,
    NOT pg_catalog.has_table_privilege(l.table_oid, 'SELECT') OR pg_catalog.row_security_active(l.table_oid) AS hidden,
    l.held,
    s.columns
FROM large AS l
LEFT JOIN shaped AS s ON s.oid = l.oid
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.max(r.option_value) FILTER (WHERE r.option_name = 'fillfactor')::int4 AS fillfactor,
        pg_catalog.max(r.option_value) FILTER (WHERE r.option_name = 'deduplicate_items')::bool AS deduplicates
    FROM pg_catalog.pg_options_to_table(l.reloptions) AS r
) AS o
ORDER BY l.size_bytes DESC, l.schemaname, l.relname
