-- PostgreSQL 13 to 18. Readable for every role. What extensions.sql gives without the control files: one that is broken, of
-- whichever extension, makes pg_available_extensions fail for all.
SELECT
    e.extname,
    pg_catalog.quote_ident(e.extname) AS object,
    n.nspname AS schemaname,
    e.extversion AS installed_version,
    false AS can_go_back,
    e.extrelocatable AS relocatable,
    true AS files_unread
FROM pg_catalog.pg_extension AS e
JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
ORDER BY e.extname
