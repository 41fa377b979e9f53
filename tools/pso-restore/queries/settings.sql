-- Settings that belong to a database ($1), for all roles or for one. PostgreSQL 13 and later.
SELECT pg_catalog.quote_ident(r.rolname) AS role,
       split_part(c.setting, '=', 1) AS name,
       substr(c.setting, strpos(c.setting, '=') + 1) AS value
FROM pg_catalog.pg_db_role_setting AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
CROSS JOIN unnest(s.setconfig) AS c (setting)
WHERE d.datname = $1
