-- PostgreSQL 13 to 18. Readable for every role; of most mappings the options are shown to superusers only, and are then NULL as
-- if there were none. Whether there is a password leaves the server, not which.
SELECT
    m.srvname AS server,
    CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE m.usename END AS role,
    m.umuser = 0 AS for_everybody,
    m.umoptions IS NULL AS hidden,
    EXISTS (SELECT 1 FROM pg_catalog.unnest(m.umoptions) AS o (line) WHERE o.line ~* '^password=') AS has_password,
    pg_catalog.format(
        'USER MAPPING FOR %s SERVER %I',
        CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(m.usename) END,
        m.srvname
    ) AS mapping
FROM pg_catalog.pg_user_mappings AS m
ORDER BY m.srvname, m.usename
