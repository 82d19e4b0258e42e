-- name: keep
-- why: what was refused is kept sealed, the same content once, within the limit of the device
WITH sent AS (
    SELECT DISTINCT ON (x.digest) x.*
    FROM unnest($7::uuid[], $8::uuid[], $9::bytea[], $10::bytea[], $11::uuid[], $12::text[], $13::bigint[])
        WITH ORDINALITY x (id, entry_id, digest, sealed, key_ref, problem, skew_ms, n)
    WHERE NOT EXISTS (SELECT FROM quarantine q
                      WHERE q.team_id = $1 AND coalesce(q.device_id, q.staff_id) = coalesce($3::uuid, $2::uuid)
                        AND q.content_digest = x.digest AND q.settled IS NULL)
    ORDER BY x.digest, x.n
), placed AS (
    SELECT *, row_number() OVER (ORDER BY n) AS place FROM sent
)
INSERT INTO quarantine (team_id, id, entry_id, content_digest, staff_id, device_id, side, role, profession, sealed, key_ref,
                        problem, skew_ms)
SELECT $1, x.id, x.entry_id, x.digest, $2, $3, $4, $5, $6, x.sealed, x.key_ref, x.problem, x.skew_ms
FROM placed x
WHERE x.place + (SELECT count(*) FROM quarantine q
                 WHERE q.team_id = $1 AND coalesce(q.device_id, q.staff_id) = coalesce($3::uuid, $2::uuid)
                   AND q.settled IS NULL) <= $14
ORDER BY x.n
ON CONFLICT DO NOTHING

-- name: kept
-- why: which of these are held, whether kept now or before
SELECT content_digest, id FROM quarantine
WHERE team_id = $1 AND coalesce(device_id, staff_id) = $2 AND content_digest = ANY ($3::bytea[]) AND settled IS NULL

-- name: waiting
-- why: one side's queue, oldest first
SELECT id, entry_id, device_id, sealed, key_ref, problem, received_at FROM quarantine
WHERE team_id = $1 AND side = $2 AND settled IS NULL
ORDER BY received_at, id LIMIT $3

-- name: item
-- why: one item, to settle it
SELECT id, entry_id, staff_id, device_id, side, role, profession, sealed, key_ref, problem, received_at, skew_ms, settled
FROM quarantine WHERE team_id = $1 AND id = $2

-- name: settle
-- why: released or discarded once; the sealed content goes with it
UPDATE quarantine SET settled = $3, settled_by = $4, settled_at = now(), sealed = NULL, key_ref = NULL
WHERE team_id = $1 AND id = $2 AND settled IS NULL RETURNING id

-- name: expire
-- why: nothing stays in quarantine for ever
UPDATE quarantine SET settled = 'expired', settled_at = now(), sealed = NULL, key_ref = NULL
WHERE team_id = $1 AND settled IS NULL AND received_at < now() - make_interval(days => $2) RETURNING id
