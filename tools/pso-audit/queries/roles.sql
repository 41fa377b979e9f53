-- PostgreSQL 13 to 18. Readable for every role. All roles but PostgreSQL's own, with what they may do beyond their tables.
-- The role with the oid 10 is the one that initdb made: there is always one, and it is a superuser. Who copies the server now, and
-- who is here, every role may see.
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
    EXISTS (SELECT 1 FROM pg_catalog.pg_stat_replication AS a WHERE a.usesysid = r.oid) AS copies_now,
    EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity AS a WHERE a.usesysid = r.oid) AS in_use,
    ARRAY(
        -- From 16 on REVOKE takes back only what the named role has granted; before, the grantor may be gone.
        SELECT pg_catalog.jsonb_build_object('granted', g.rolname, 'revoke', pg_catalog.string_agg(
            pg_catalog.format('REVOKE %I FROM %I', g.rolname, r.rolname)
            || CASE
                WHEN v.is_16 THEN
                    pg_catalog.format(' GRANTED BY %I', o.rolname)
                    || CASE
                        WHEN EXISTS (
                            SELECT 1 FROM pg_catalog.pg_auth_members AS d WHERE d.roleid = m.roleid AND d.grantor = m.member
                        ) THEN ' CASCADE' ELSE ''
                    END
                ELSE ''
            END, E';\n' ORDER BY o.rolname
        ))
        FROM pg_catalog.pg_auth_members AS m
        JOIN pg_catalog.pg_roles AS g ON g.oid = m.roleid
        LEFT JOIN pg_catalog.pg_roles AS o ON o.oid = m.grantor
        CROSS JOIN (SELECT pg_catalog.current_setting('server_version_num')::int4 >= 160000 AS is_16) AS v
        WHERE m.member = r.oid
          AND g.rolname IN (
              'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_read_all_data', 'pg_write_all_data'
          )
        GROUP BY g.rolname
        ORDER BY g.rolname
    ) AS server_roles
FROM pg_catalog.pg_roles AS r
WHERE r.rolname !~ '^pg_'
ORDER BY r.rolname
