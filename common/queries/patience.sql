-- Takes away limits that a role or a database may have and that would end a long piece of work: a session waits while others
-- work. These came with PostgreSQL 14 and 17. PostgreSQL 13 and later.
SELECT pg_catalog.set_config(name, '0', false)
FROM pg_catalog.pg_settings
WHERE name IN ('idle_session_timeout', 'transaction_timeout')
