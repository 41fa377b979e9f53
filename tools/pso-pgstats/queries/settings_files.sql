-- PostgreSQL 13 to 18. Superusers, or who was granted the view and its function. Reads the configuration files anew.
-- Lines that the server cannot use. A value that waits for a restart is among them, in the same words as a wrong one (and in
-- the server's language); which it is, pg_settings.pending_restart tells after this. What is shown of a value follows
-- settings.sql, and of a setting that the server does not know, nothing: it may be a misspelt one.
SELECT
    f.name AS setting_name,
    CASE
        WHEN s.vartype <> 'string' THEN f.setting
        WHEN s.name !~ '(_command|_conninfo)$|\.' AND f.setting !~* 'passw|secret|token|://[^/ ]*:[^/ ]*@' THEN f.setting
    END AS setting,
    f.sourcefile,
    f.sourceline,
    f.error
FROM pg_catalog.pg_file_settings AS f
LEFT JOIN pg_catalog.pg_settings AS s ON pg_catalog.lower(s.name) = pg_catalog.lower(f.name)
WHERE f.error IS NOT NULL
ORDER BY f.seqno
