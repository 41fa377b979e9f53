-- How many constraints and indexes of users there are, and large objects; and what it all takes on the disk. A foreign key is
-- one, however many partitions it has parts for.
-- PostgreSQL 13 and later.
SELECT (SELECT pg_catalog.count(*)
        FROM pg_catalog.pg_constraint AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.connamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.conparentid = 0) AS constraints,
       (SELECT pg_catalog.count(*)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('i', 'I') AND n.nspname !~ '^pg_') AS indexes,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects,
       pg_catalog.pg_database_size(pg_catalog.current_database()) AS size_bytes
