-- Databases that killed restores of a database ($1, already shortened as ours are) have left. PostgreSQL 13 and later.
SELECT datname::text
FROM pg_catalog.pg_database
WHERE starts_with(datname::text, $1 || '_pso_new_')
  AND substr(datname::text, length($1) + 10) ~ '^[0-9]{8}_[0-9]{6}$'
