-- The shortest question there is: how long it takes is the way there, the server's load, and nothing else.
-- PostgreSQL: all versions. Who can read it: everybody.
SELECT 1 AS one
