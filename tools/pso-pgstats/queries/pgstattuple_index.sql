-- PostgreSQL 13 to 18, the extension pgstattuple in {schema}. For members of pg_stat_scan_tables. Reads all of the B-tree $1 under
-- ACCESS SHARE. One row. The density of an index without entries is NaN.
SELECT
    i.index_size,
    i.internal_pages,
    i.leaf_pages,
    CASE WHEN i.leaf_pages > 0 AND i.avg_leaf_density <> 'NaN' THEN i.avg_leaf_density ELSE 0 END AS density
FROM {schema}.pgstatindex($1::pg_catalog.oid::pg_catalog.regclass) AS i
