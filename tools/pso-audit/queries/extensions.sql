-- PostgreSQL 13 to 18. Readable for every role.
SELECT
    e.extname AS extension,
    pg_catalog.quote_ident(e.extname) AS quoted
FROM pg_catalog.pg_extension AS e
ORDER BY e.extname
