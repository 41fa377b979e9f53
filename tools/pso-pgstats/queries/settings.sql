-- PostgreSQL 13 to 18. Readable for every role; some settings, and the files, only with pg_read_all_settings.
-- What this session has set for itself is, for this query alone, what it is for a new one: set_config to NULL is RESET, true
-- holds until the transaction ends, and a condition without columns is looked at before anything is read. The query's own time-out
-- runs by then. What initdb, the build or the machine decides (context internal, source override) was set by nobody.
-- What may hold a password does not leave the server: commands, connection strings, and the texts of extensions and
-- applications (a name with a dot; without an entry in pg_settings of any type), and what looks like one.
WITH reset AS MATERIALIZED (
    SELECT pg_catalog.count(pg_catalog.set_config(o.name, NULL, true)) AS done
    FROM pg_catalog.pg_settings AS o
    WHERE o.source = 'session'
),
seen AS (
    SELECT
        'server' AS scope,
        s.name AS setting_name,
        s.reset_val AS value,
        s.vartype,
        s.unit,
        s.context,
        s.source,
        s.sourcefile,
        s.sourceline,
        s.boot_val,
        s.pending_restart,
        NULL::name AS datname,
        NULL::name AS rolname,
        NULL::text AS alter
    FROM pg_catalog.pg_settings AS s
    WHERE (SELECT r.done FROM reset AS r) IS NOT NULL
      AND s.context <> 'internal'
      AND s.source NOT IN ('override', 'client')
      AND (s.reset_val IS DISTINCT FROM s.boot_val AND s.source <> 'default' OR s.pending_restart)
    UNION ALL
    SELECT
        'override',
        o.setting_name,
        o.value,
        s.vartype,
        s.unit,
        s.context,
        CASE
            WHEN r.setrole = 0 AND r.setdatabase = 0 THEN 'global'
            WHEN r.setrole = 0 THEN 'database'
            WHEN r.setdatabase = 0 THEN 'user'
            ELSE 'database user'
        END,
        NULL,
        NULL,
        s.boot_val,
        false,
        d.datname,
        u.rolname,
        CASE WHEN r.setrole = 0 AND r.setdatabase <> 0 THEN pg_catalog.format('ALTER DATABASE %I', d.datname)
            ELSE 'ALTER ROLE ' || coalesce(pg_catalog.quote_ident(u.rolname), 'ALL')
                || coalesce(' IN DATABASE ' || pg_catalog.quote_ident(d.datname), '') END
    FROM pg_catalog.pg_db_role_setting AS r
    CROSS JOIN pg_catalog.unnest(r.setconfig) AS c (line)
    CROSS JOIN LATERAL (
        SELECT
            pg_catalog.split_part(c.line, '=', 1) AS setting_name,
            pg_catalog.substr(c.line, pg_catalog.strpos(c.line, '=') + 1) AS value
    ) AS o
    LEFT JOIN pg_catalog.pg_settings AS s ON s.name = o.setting_name
    LEFT JOIN pg_catalog.pg_database AS d ON d.oid = r.setdatabase
    LEFT JOIN pg_catalog.pg_roles AS u ON u.oid = r.setrole
),
judged AS (
    SELECT
        s.*,
        s.value <> ''
        AND coalesce(s.vartype, 'string') = 'string'
        AND (
            s.vartype IS NULL
            OR s.setting_name ~ '(_command|_conninfo)$|\.'
            OR s.value ~* 'passw|secret|token|://[^/ ]*:[^/ ]*@'
        ) AS secret
    FROM seen AS s
)
SELECT
    j.scope,
    j.setting_name,
    CASE WHEN NOT j.secret THEN j.value END AS setting,
    coalesce(j.secret, false) AS secret,
    j.unit,
    j.context,
    j.source,
    j.sourcefile,
    j.sourceline,
    j.boot_val,
    j.pending_restart,
    j.datname,
    j.rolname,
    j.alter
FROM judged AS j
ORDER BY j.scope DESC, j.pending_restart DESC, j.setting_name, j.datname, j.rolname
