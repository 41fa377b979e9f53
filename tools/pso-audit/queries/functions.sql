-- PostgreSQL 13 to 18. Readable for every role. Routines of this database that run with their owner's rights, or in a language
-- that can do what the server's user of the operating system can. Those of extensions are as their authors wanted them.
-- Those of superusers come first: only so many are looked at, and nobody else can make these.
SELECT
    pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)) AS routine,
    pg_catalog.quote_ident(n.nspname) AS schema_quoted,
    p.prosecdef AS definer,
    EXISTS (SELECT 1 FROM pg_catalog.unnest(p.proconfig) AS c (line) WHERE c.line ~ '^search_path=') AS has_search_path,
    r.rolname AS owner,
    r.rolsuper AS owner_superuser,
    EXISTS (
        SELECT 1
        FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
        WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE'
    ) AS for_everybody,
    (
        SELECT pg_catalog.array_agg(DISTINCT pg_catalog.quote_ident(o.rolname))
        FROM pg_catalog.aclexplode(p.proacl) AS a
        JOIN pg_catalog.pg_roles AS o ON o.oid = a.grantor
        WHERE a.grantee = 0 AND a.grantor <> p.proowner
    ) AS grantors,
    l.lanname AS language,
    NOT l.lanpltrusted AS untrusted
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (p.prosecdef OR NOT l.lanpltrusted)
  AND NOT EXISTS (
      SELECT 1
      FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND e.objid = p.oid AND e.deptype = 'e'
  )
ORDER BY r.rolsuper DESC, 1
LIMIT 501
