-- What pg_restore sets in its sessions before it loads rows, so that rows are taken as they were written; and no wait
-- for the disk at each commit: the database gets its name in a later transaction, which waits for all of them.
-- PostgreSQL 13 and later.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET standard_conforming_strings = on;
SET check_function_bodies = off;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET synchronous_commit = off;
SELECT pg_catalog.set_config('search_path', '', false)
