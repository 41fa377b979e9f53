-- PostgreSQL 13 to 18. The definitions are readable for every role, the last value for who may use or read the sequence.
-- pg_sequence_last_value takes ROW EXCLUSIVE, which waits for an ALTER SEQUENCE, too, and before 17 fails for an unlogged
-- sequence on a standby and for other sessions' temporary ones: of what another session or a prepared transaction (without a
-- pid) holds, or waits for, in a mode that it would wait for, it is not asked, and temporary ones are left out.
WITH held AS (
    SELECT l.relation AS oid
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
      AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
),
feeding AS (
    -- Serial ('a') and identity ('i').
    SELECT p.objid AS oid, p.refobjid AS table_oid, p.refobjsubid AS attnum
    FROM pg_catalog.pg_sequence AS q
    JOIN pg_catalog.pg_depend AS p ON p.objid = q.seqrelid
    WHERE p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND p.refobjsubid > 0
      AND p.deptype IN ('a', 'i')
    UNION
    SELECT p.refobjid, ad.adrelid, ad.adnum
    FROM pg_catalog.pg_sequence AS q
    JOIN pg_catalog.pg_depend AS p ON p.refobjid = q.seqrelid
    JOIN pg_catalog.pg_attrdef AS ad ON ad.oid = p.objid
    WHERE p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
      AND p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
),
columns AS (
    SELECT DISTINCT ON (f.oid)
        f.oid,
        pg_catalog.format('%I.%I', n.nspname, c.relname) AS on_table,
        pg_catalog.quote_ident(a.attname) AS "column",
        pg_catalog.format_type(a.atttypid, a.atttypmod) AS column_type,
        CASE a.atttypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 WHEN 20 THEN 9223372036854775807 END AS column_max
    FROM feeding AS f
    JOIN pg_catalog.pg_class AS c ON c.oid = f.table_oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.table_oid AND a.attnum = f.attnum
    ORDER BY f.oid, column_max NULLS LAST, on_table, "column"
),
seen AS (
    SELECT
        s.*,
        c.relpersistence,
        c.relname,
        n.nspname,
        CASE s.seqtypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 ELSE 9223372036854775807 END AS type_max,
        k.on_table,
        k."column",
        k.column_type,
        k.column_max,
        pg_catalog.has_sequence_privilege(s.seqrelid, 'SELECT,USAGE') AS readable,
        s.seqrelid IN (SELECT h.oid FROM held AS h) OR (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()) AS held
    FROM pg_catalog.pg_sequence AS s
    JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid AND c.relpersistence <> 't'
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN columns AS k ON k.oid = s.seqrelid
),
ends AS (
    -- The smallest number of a type is one further from zero than its largest.
    SELECT
        s.*,
        CASE WHEN s.seqincrement > 0 THEN s.type_max ELSE -s.type_max - 1 END AS type_limit,
        CASE WHEN s.seqincrement > 0 THEN s.column_max ELSE -s.column_max - 1 END AS column_limit,
        CASE WHEN s.seqincrement > 0 THEN s.seqmin ELSE s.seqmax END AS beginning,
        CASE WHEN s.seqincrement > 0 THEN least(s.seqmax, s.column_max) ELSE greatest(s.seqmin, -s.column_max - 1) END
            AS limit_value,
        CASE WHEN s.readable AND NOT s.held THEN pg_catalog.pg_sequence_last_value(s.seqrelid) END AS last_value
    FROM seen AS s
)
SELECT
    e.nspname AS schemaname,
    e.relname AS sequencename,
    pg_catalog.format('%I.%I', e.nspname, e.relname) AS object,
    pg_catalog.format_type(e.seqtypid, NULL) AS data_type,
    e.last_value,
    e.seqincrement AS increment,
    e.seqmin AS min_value,
    e.seqmax AS max_value,
    e.type_limit,
    e.seqcycle AS cycle,
    e.on_table,
    e."column",
    e.column_type,
    e.column_limit,
    e.limit_value,
    -- Not rounded: 100 is when none is left.
    pg_catalog.trunc(
        (e.last_value::numeric - e.beginning) * 100 / nullif(e.limit_value::numeric - e.beginning, 0), 2
    )::float8 AS used_percent,
    least(
        greatest(pg_catalog.trunc((e.limit_value::numeric - e.last_value) / e.seqincrement), 0), 9223372036854775807
    )::int8 AS remaining,
    e.readable,
    e.held
FROM ends AS e
ORDER BY used_percent DESC NULLS LAST, schemaname, sequencename
