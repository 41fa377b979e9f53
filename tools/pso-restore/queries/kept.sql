-- Databases that restores of a database ($1, already shortened as ours are) have kept, and those of some names ($2), with
-- their sizes where the role may see them. PostgreSQL 13 and later.
SELECT datname::text AS name,
       CASE WHEN pg_catalog.has_database_privilege(datname, 'CONNECT')
                 OR pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
            THEN pg_catalog.pg_database_size(oid) END AS size_bytes
FROM pg_catalog.pg_database
WHERE starts_with(datname::text, $1 || '_before_') AND substr(datname::text, length($1) + 9) ~ '^[0-9]{8}_[0-9]{6}$'
   OR datname::text = ANY ($2) AND datname::text ~ '_before_[0-9]{8}_[0-9]{6}$'
ORDER BY 1
