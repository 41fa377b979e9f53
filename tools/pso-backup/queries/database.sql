-- Facts of the connected database that its dump does not restore under another name. PostgreSQL 13 and later.
SELECT current_setting('server_version') AS server_version,
       current_setting('server_version_num')::int AS server_version_num,
       pg_catalog.pg_get_userbyid(datdba)::text AS owner,
       pg_catalog.pg_encoding_to_char(encoding)::text AS encoding,
       datcollate::text AS collate,
       datctype::text AS ctype,
       -- Through JSON, because these columns came with PostgreSQL 15 and were renamed with 17.
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS locale_provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale
FROM pg_catalog.pg_database AS d
WHERE datname = pg_catalog.current_database()
