-- PostgreSQL 13 to 18. Superusers, or who was granted the view and its function. Reads pg_hba.conf anew, so it shows what the
-- next reload brings. The lines in the order in which they are tried; the options stay in the server, they may hold passwords:
-- but those that ask for a certificate, which a line keeps when it is rewritten.
-- file_name and rule_number are there from 16 on.
SELECT
    h.line_number AS line,
    pg_catalog.to_jsonb(h) ->> 'file_name' AS file,
    h.type AS connection,
    h.database AS databases,
    h.user_name AS users,
    h.address,
    h.netmask,
    h.auth_method AS method,
    ARRAY(SELECT o.line FROM pg_catalog.unnest(h.options) AS o (line) WHERE o.line ~ '^client(cert|name)=[A-Za-z0-9-]*$') AS certificate,
    h.error
FROM pg_catalog.pg_hba_file_rules AS h
ORDER BY (pg_catalog.to_jsonb(h) ->> 'rule_number')::int4, h.line_number
