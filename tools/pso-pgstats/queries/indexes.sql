-- PostgreSQL 13 to 18. Readable for every role.
-- Beside the indexes of tables, those of TOAST tables that are not valid: REINDEX TABLE CONCURRENTLY leaves them behind, too.
-- pg_relation_size, pg_get_indexdef and pg_get_expr take ACCESS SHARE; of what another session or a prepared transaction (without
-- a pid) holds, or waits for, in ACCESS EXCLUSIVE they are not asked (NULL). pg_get_indexdef is the dearest of all here, so it is
-- not asked for what is never to be dropped. It leaves out tablespace, comment, and how closely ANALYZE looks at an expression;
-- they are added, the tablespace before WHERE: to move the index afterwards would lock it.
WITH held AS (
    SELECT l.relation AS oid
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
      AND l.mode = 'AccessExclusiveLock'
      AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
),
-- Who builds or drops an index concurrently holds its table like this until the end, in all its transactions.
building AS (
    SELECT DISTINCT l.relation AS oid
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'relation'
      AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
),
backing AS (
    SELECT DISTINCT k.conindid AS oid FROM pg_catalog.pg_constraint AS k WHERE k.conindid <> 0
),
referring AS (
    SELECT DISTINCT k.conrelid AS oid, pg_catalog.unnest(k.conkey) AS attnum
    FROM pg_catalog.pg_constraint AS k
    WHERE k.contype = 'f'
),
extending AS (
    SELECT DISTINCT p.objid AS oid
    FROM pg_catalog.pg_depend AS p
    WHERE p.deptype = 'e' AND p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
),
seen AS (
    SELECT
        s.*,
        i.*,
        ts.spcname,
        de.description,
        c.relispartition,
        c.relpersistence,
        am.amname,
        i.indisprimary OR i.indisunique OR i.indisexclusion OR i.indisreplident
        OR i.indexrelid IN (SELECT b.oid FROM backing AS b) AS promised,
        i.indexrelid IN (SELECT h.oid FROM held AS h) AS index_held,
        i.indrelid IN (SELECT h.oid FROM held AS h) AS table_held
    FROM (
        SELECT u.indexrelid AS index_oid, u.schemaname, u.relname, u.indexrelname, u.idx_scan, u.idx_tup_read, u.idx_tup_fetch
        FROM pg_catalog.pg_stat_user_indexes AS u
        UNION ALL
        SELECT u.indexrelid, u.schemaname, u.relname, u.indexrelname, u.idx_scan, u.idx_tup_read, u.idx_tup_fetch
        FROM pg_catalog.pg_index AS x
        JOIN pg_catalog.pg_stat_sys_indexes AS u ON u.indexrelid = x.indexrelid
        WHERE NOT x.indisvalid AND u.schemaname = 'pg_toast'
    ) AS s
    JOIN pg_catalog.pg_index AS i ON i.indexrelid = s.index_oid
    JOIN pg_catalog.pg_class AS c ON c.oid = s.index_oid
    JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
    LEFT JOIN pg_catalog.pg_tablespace AS ts ON ts.oid = c.reltablespace
    LEFT JOIN pg_catalog.pg_description AS de
        ON de.objoid = c.oid AND de.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND de.objsubid = 0
),
defined AS (
    SELECT
        s.*,
        CASE WHEN NOT (s.promised OR s.index_held OR s.table_held) THEN
            -- It was in use: who makes it again must not lock out who writes.
            pg_catalog.regexp_replace(pg_catalog.pg_get_indexdef(s.indexrelid), '^CREATE INDEX ', 'CREATE INDEX CONCURRENTLY ')
        END AS made,
        CASE WHEN s.indpred IS NOT NULL AND NOT s.table_held
            THEN ' WHERE ' || pg_catalog.pg_get_expr(s.indpred, s.indrelid) ELSE '' END AS restricted
    FROM seen AS s
)
SELECT
    s.schemaname,
    s.relname,
    s.indexrelname,
    pg_catalog.format('%I.%I', s.schemaname, s.indexrelname) AS object,
    CASE WHEN s.schemaname <> 'pg_toast' THEN pg_catalog.format('%I.%I', s.schemaname, s.relname) ELSE (
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.reltoastrelid = s.indrelid
    ) END AS on_table,
    s.idx_scan,
    s.idx_tup_read,
    s.idx_tup_fetch,
    CASE WHEN NOT s.index_held THEN pg_catalog.pg_relation_size(s.indexrelid) END AS size_bytes,
    s.promised AS "constraint",
    s.indisprimary AS "primary",
    s.indisunique AS "unique",
    s.indisexclusion AS exclusion,
    s.indisreplident AS replica_identity,
    s.indisclustered AS clustered,
    (s.indrelid, s.indkey[0]) IN (SELECT r.oid, r.attnum FROM referring AS r) AS leads_foreign_key,
    s.relispartition AS partition,
    s.indexrelid IN (SELECT e.oid FROM extending AS e) OR s.indrelid IN (SELECT e.oid FROM extending AS e) AS extension,
    s.relpersistence = 't' AS temporary,
    s.indisvalid AS valid,
    s.indisready AND s.indislive AS ready,
    NOT (s.indisvalid AND s.indisready AND s.indislive) AND s.indrelid IN (SELECT b.oid FROM building AS b) AS building,
    s.amname AS method,
    (
        SELECT pg_catalog.array_agg(a.attname ORDER BY k.nr)
        FROM pg_catalog.unnest(s.indkey::int2[]) WITH ORDINALITY AS k (attnum, nr)
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = s.indrelid AND a.attnum = k.attnum AND k.attnum <> 0
    ) AS columns,
    s.indnkeyatts::int4 AS key_columns,
    s.indkey::text AS indkey,
    s.indclass::text AS indclass,
    s.indcollation::text AS indcollation,
    s.indoption::text AS indoption,
    s.indexprs IS NOT NULL AS has_expressions,
    CASE WHEN NOT s.table_held THEN pg_catalog.pg_get_expr(s.indexprs, s.indrelid) END AS expressions,
    s.indpred IS NOT NULL AS partial,
    CASE WHEN NOT s.table_held THEN pg_catalog.pg_get_expr(s.indpred, s.indrelid) END AS predicate,
    CASE
        WHEN s.spcname IS NULL THEN s.made
        WHEN pg_catalog.right(s.made, pg_catalog.length(s.restricted)) = s.restricted THEN
            pg_catalog.left(s.made, pg_catalog.length(s.made) - pg_catalog.length(s.restricted))
            || pg_catalog.format(' TABLESPACE %I', s.spcname) || s.restricted
        ELSE s.made || pg_catalog.format(E';\nALTER INDEX %I.%I SET TABLESPACE %I', s.schemaname, s.indexrelname, s.spcname)
    END
    || CASE WHEN s.indexprs IS NULL THEN '' ELSE coalesce((
        SELECT pg_catalog.string_agg(pg_catalog.format(
            E';\nALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', s.schemaname, s.indexrelname, a.attnum, a.attstattarget
        ), '' ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = s.indexrelid AND a.attnum > 0 AND a.attstattarget >= 0
    ), '') END
    || CASE WHEN s.description IS NULL THEN '' ELSE
        pg_catalog.format(E';\nCOMMENT ON INDEX %I.%I IS %L', s.schemaname, s.indexrelname, s.description) END AS definition
FROM defined AS s
ORDER BY valid, s.idx_scan, size_bytes DESC NULLS LAST, s.schemaname, s.indexrelname
