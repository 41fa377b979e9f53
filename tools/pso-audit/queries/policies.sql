-- PostgreSQL 13 to 18. Readable for every role. Tables of this database that have policies and do not apply them.
SELECT
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS relation,
    pg_catalog.array_agg(p.polname ORDER BY p.polname) AS policies
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT c.relrowsecurity
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
