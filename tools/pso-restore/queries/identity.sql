-- What tells a database ($1) from another one of its name, and whether it lets anybody in. PostgreSQL 13 and later.
SELECT pg_catalog.concat_ws(' ', oid, pg_catalog.pg_get_userbyid(datdba), pg_catalog.pg_encoding_to_char(encoding),
                            datcollate, datallowconn) AS identity,
       datallowconn AS lets_in
FROM pg_catalog.pg_database
WHERE datname = $1
