-- name: barrier
-- why: a commit waits for the standbys, and with it for all that was committed before; where none is asked for, nothing does
SELECT CASE WHEN current_setting('synchronous_standby_names') <> '' THEN pg_logical_emit_message(true, 'triage', '') END AS at

-- name: process
-- why: a pooler answers with another process than the one that the connection was told of
SELECT pg_backend_pid() AS pid
