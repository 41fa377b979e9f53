-- A column ($2) of a table ($1) and its type; of a domain the type below it. PostgreSQL 13 and later.
SELECT format('%I', a.attname) AS sql,
       -- With -1 a length is no part of it: a value that is too long is then unequal, not cut.
       pg_catalog.format_type(a.atttypid, -1) AS type,
       coalesce(nullif(t.typbasetype, 0), t.oid) AS base
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = $1 AND a.attname = $2::text AND a.attnum > 0 AND NOT a.attisdropped
