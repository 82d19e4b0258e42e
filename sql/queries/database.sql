-- name: barrier
-- why: a commit waits for the standbys, and with it for all that was committed before; where none is asked for, nothing does
SELECT CASE WHEN current_setting('synchronous_standby_names') <> '' THEN pg_logical_emit_message(true, 'triage', '') END AS at

-- name: process
-- why: a pooler answers with another process than the one that the connection was told of
SELECT pg_backend_pid() AS pid

-- name: try_write
-- why: readiness is that a row can be written, an hour's row over and over; closed windows go by themselves
INSERT INTO attempt AS a (bucket, opened_at) VALUES (sha256('ready'), date_trunc('hour', now()))
ON CONFLICT (bucket, opened_at) DO UPDATE SET n = (a.n + 1) % 1000000
RETURNING current_setting('synchronous_standby_names') <> '' AS synchronous

-- name: spill_early
-- why: for the rest of the transaction, what is kept aside goes to the disk from 64 kB on
SELECT set_config('work_mem', '64kB', true)

-- name: take_space
-- why: half a megabyte of a temporary file, which a full disk has no room for; no table grows by it, and it is gone at once
SELECT count(*) FROM generate_series(1, 20000)
