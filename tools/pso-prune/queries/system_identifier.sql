-- The cluster's own number, given at initdb. PostgreSQL 13 to 18; not every role may ask.
SELECT system_identifier::text FROM pg_catalog.pg_control_system()
