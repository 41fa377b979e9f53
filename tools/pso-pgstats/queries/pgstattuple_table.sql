-- PostgreSQL 13 to 18, the extension pgstattuple in {schema}. For members of pg_stat_scan_tables. Reads all of the table $1 under
-- ACCESS SHARE. One row.
SELECT t.table_len, t.tuple_count, t.tuple_len
FROM {schema}.pgstattuple($1::pg_catalog.oid::pg_catalog.regclass) AS t
