-- What the server is, before anything is counted. PostgreSQL 13 and later.
SELECT current_setting('server_version_num')::integer AS version,
       pg_catalog.pg_is_in_recovery() AS is_standby,
       current_setting('default_transaction_read_only')::boolean AS is_read_only,
       -- How many rows a block can hold, for servers that cannot scan a range of ctids: MaxHeapTuplesPerPage,
       -- https://github.com/postgres/postgres/blob/master/src/include/access/htup_details.h.
       (current_setting('block_size')::integer - 24) / 28 AS rows_per_block
