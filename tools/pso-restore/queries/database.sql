-- A database ($1) as CREATE DATABASE would make it again. PostgreSQL 13 and later.
SELECT pg_catalog.pg_get_userbyid(d.datdba)::text AS owner,
       pg_catalog.pg_has_role(current_user, d.datdba, 'USAGE') AS is_ours,
       pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding,
       d.datcollate::text AS collate,
       d.datctype::text AS ctype,
       -- Through JSON, because these columns came with PostgreSQL 15 and were renamed with 17.
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS locale_provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
       d.datallowconn AS lets_in,
       d.datconnlimit AS connection_limit,
       -- Naming the default one needs a privilege that using it does not.
       nullif(t.spcname, 'pg_default')::text AS tablespace,
       d.datacl IS NOT NULL AS has_acl,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
FROM pg_catalog.pg_database AS d
JOIN pg_catalog.pg_tablespace AS t ON t.oid = d.dattablespace
WHERE d.datname = $1
