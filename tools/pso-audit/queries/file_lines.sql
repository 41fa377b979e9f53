-- PostgreSQL 13 to 18. Superusers, or who was granted the view and its function. Reads the configuration files anew. Lines that
-- the server cannot use, without their values. One that waits for a restart is among them, in the same words as a wrong one
-- (and in the server's language); which it is, waiting.sql tells after this.
SELECT
    f.name,
    f.sourcefile AS file,
    f.sourceline AS line,
    f.error
FROM pg_catalog.pg_file_settings AS f
WHERE f.error IS NOT NULL
ORDER BY f.seqno
