-- Extension pg_stat_statements 1.4 and newer. Readable for every role that may use its schema.
-- In braces, which must not be in comments, as a name may have line breaks: its quoted schema, and the view
-- pg_stat_statements_info, which is there from 1.9 on, or what stands for it.
-- Counts without the texts, which are kept in a file.
SELECT
    (SELECT pg_catalog.count(*) FROM {schema}.pg_stat_statements(false) AS s) AS entries,
    i.dealloc,
    i.stats_reset AS stats_reset_at
FROM {info} AS i
