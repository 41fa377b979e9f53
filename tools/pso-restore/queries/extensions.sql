-- Which of some extensions ($1) the server has, and whether a role that is no superuser may create them.
-- PostgreSQL 13 and later.
SELECT e.name::text AS name, bool_or(v.trusted OR NOT v.superuser) AS may_create
FROM pg_catalog.pg_available_extensions AS e
JOIN pg_catalog.pg_available_extension_versions AS v ON v.name = e.name AND v.version = e.default_version
WHERE e.name::text = ANY ($1)
GROUP BY 1
