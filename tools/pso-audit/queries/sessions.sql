-- PostgreSQL 13 to 18. Every role sees its own sessions, with pg_read_all_stats those of all. Who talks to the server now from
-- another machine without encryption. Only addresses and roles leave the server: what a client calls itself may be anything.
SELECT
    a.usename AS role,
    pg_catalog.array_agg(DISTINCT pg_catalog.host(a.client_addr) ORDER BY pg_catalog.host(a.client_addr)) AS addresses,
    pg_catalog.count(*) AS sessions
FROM pg_catalog.pg_stat_activity AS a
JOIN pg_catalog.pg_stat_ssl AS s ON s.pid = a.pid
LEFT JOIN pg_catalog.pg_stat_gssapi AS g ON g.pid = a.pid
WHERE NOT s.ssl AND g.encrypted IS NOT TRUE
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.usename IS NOT NULL
  AND NOT a.client_addr <<= pg_catalog.inet '127.0.0.0/8'
  AND a.client_addr <> pg_catalog.inet '::1'
  -- An address of the server's own machine, as far as this session shows it.
  AND a.client_addr IS DISTINCT FROM pg_catalog.inet_server_addr()
GROUP BY a.usename
ORDER BY a.usename
