-- Statements that take away the default privileges of the session's role, so that what is made again has those of the
-- dump and no others. PostgreSQL 13 and later.
WITH kept AS (
    SELECT a.defaclobjtype AS kind, n.nspname AS schema, a.defaclacl AS acl,
           -- Those of a schema come on top of those of the whole database, which stand instead of the usual ones.
           CASE WHEN n.oid IS NULL
                THEN pg_catalog.acldefault(CASE a.defaclobjtype WHEN 'S' THEN 's' ELSE a.defaclobjtype END, a.defaclrole)
           END AS usual
    FROM pg_catalog.pg_default_acl AS a
    LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = a.defaclnamespace
    WHERE pg_catalog.pg_get_userbyid(a.defaclrole) = current_user
), granted AS (
    SELECT k.kind, k.schema, g.grantee, g.privilege_type FROM kept AS k, pg_catalog.aclexplode(k.acl) AS g
), usual AS (
    SELECT k.kind, k.schema, g.grantee, g.privilege_type FROM kept AS k, pg_catalog.aclexplode(k.usual) AS g
), change AS (
    SELECT 'REVOKE' AS verb, 'FROM' AS who, * FROM (TABLE granted EXCEPT TABLE usual) AS more
    UNION ALL
    SELECT 'GRANT', 'TO', * FROM (TABLE usual EXCEPT TABLE granted) AS less
)
SELECT pg_catalog.concat_ws(' ', 'ALTER DEFAULT PRIVILEGES', 'IN SCHEMA ' || pg_catalog.quote_ident(schema), verb, privilege_type,
                            'ON', CASE kind WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                                            WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
                            who, CASE WHEN grantee = 0 THEN 'PUBLIC'
                                      ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(grantee)) END)
FROM change
