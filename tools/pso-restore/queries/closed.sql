-- Databases that restores of a database ($1, already shortened as ours are) have kept, that let nobody in, and whose
-- owner may change that. PostgreSQL 13 and later.
SELECT datname::text
FROM pg_catalog.pg_database
WHERE starts_with(datname::text, $1 || '_before_')
  AND substr(datname::text, length($1) + 9) ~ '^[0-9]{8}_[0-9]{6}$'
  AND NOT datallowconn
  AND pg_catalog.pg_has_role(current_user, datdba, 'USAGE')
