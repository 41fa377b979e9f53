-- The scratch databases of rehearsals that seem to be over: each rehearsal has, as long as it lives, a session that is called like
-- its database; and whether somebody works in them all the same. Only those that this role may drop. PostgreSQL 13 and later.
SELECT d.datname::text AS name, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       EXISTS (
           SELECT FROM pg_catalog.pg_stat_activity AS a
           WHERE a.datid = d.oid
       ) AS in_use
FROM pg_catalog.pg_database AS d
WHERE pg_catalog.starts_with(d.datname, 'pso_rehearse_')
  AND pg_catalog.starts_with(pg_catalog.shobj_description(d.oid, 'pg_database'), 'pso-rehearse: scratch database')
  AND pg_catalog.pg_has_role(d.datdba, 'MEMBER')
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_stat_activity AS a
      WHERE a.application_name = d.datname
  )
ORDER BY 1
