-- PostgreSQL 13 to 18. Readable for every role. Reads the control files of all extensions on the server's disk. Of an extension
-- whose files are gone there is no default version, and pg_extension_update_paths would fail, so it is asked with NULL, which
-- gives nothing.
SELECT
    e.extname,
    pg_catalog.quote_ident(e.extname) AS object,
    n.nspname AS schemaname,
    e.extversion AS installed_version,
    a.default_version,
    p.update_path,
    coalesce(p.can_go_back, false) AS can_go_back,
    e.extrelocatable AS relocatable,
    v.trusted
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
LEFT JOIN pg_catalog.pg_available_extensions AS a ON a.name = e.extname
LEFT JOIN pg_catalog.pg_available_extension_versions AS v ON v.name = e.extname AND v.version = a.default_version
LEFT JOIN LATERAL (
    SELECT
        pg_catalog.max(u.path) FILTER (WHERE u.source = e.extversion AND u.target = a.default_version) AS update_path,
        pg_catalog.bool_or(u.path IS NOT NULL)
            FILTER (WHERE u.source = a.default_version AND u.target = e.extversion) AS can_go_back
    FROM pg_catalog.pg_extension_update_paths(CASE WHEN a.default_version <> e.extversion THEN a.name END) AS u
) AS p ON true
ORDER BY a.default_version IS DISTINCT FROM e.extversion DESC, e.extname
