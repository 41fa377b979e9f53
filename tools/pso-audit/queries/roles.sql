-- PostgreSQL 13 to 18. Readable for every role. All roles but PostgreSQL's own, with what they may do beyond their tables.
-- The role with the oid 10 is the one that initdb made: there is always one, and it is a superuser.
SELECT
    r.rolname AS role,
    pg_catalog.quote_ident(r.rolname) AS quoted,
    r.oid = 10 AS bootstrap,
    r.rolcanlogin AS login,
    r.rolsuper AS superuser,
    r.rolcreaterole AS createrole,
    r.rolcreatedb AS createdb,
    r.rolreplication AS replication,
    r.rolbypassrls AS bypassrls,
    coalesce(r.rolvaliduntil < pg_catalog.now(), false) AS expired,
    ARRAY(
        SELECT DISTINCT g.rolname
        FROM pg_catalog.pg_auth_members AS m
        JOIN pg_catalog.pg_roles AS g ON g.oid = m.roleid
        WHERE m.member = r.oid
          AND g.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
        ORDER BY g.rolname
    ) AS server_roles
FROM pg_catalog.pg_roles AS r
WHERE r.rolname !~ '^pg_'
ORDER BY r.rolname
