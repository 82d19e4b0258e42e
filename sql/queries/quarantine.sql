-- name: keep
-- why: what was refused is kept sealed, the same content once, within the limit of the device; what is newer than this
-- service is counted by itself
WITH sent AS (
    SELECT DISTINCT ON (x.digest) x.*
    FROM unnest(:ids::uuid[], :entry_ids::uuid[], :incident_ids::uuid[], :digests::bytea[], :sealed::bytea[],
                :key_refs::uuid[], :problems::text[], :newer::boolean[], :skews::bigint[])
        WITH ORDINALITY x (id, entry_id, incident_id, digest, sealed, key_ref, problem, newer, skew_ms, n)
    WHERE NOT EXISTS (SELECT FROM quarantine q
                      WHERE q.team_id = :team_id AND coalesce(q.device_id, q.staff_id) = coalesce(:device::uuid, :account::uuid)
                        AND q.content_digest = x.digest AND q.settled IS NULL)
    ORDER BY x.digest, x.n
), placed AS (
    SELECT *, row_number() OVER (PARTITION BY newer ORDER BY n) AS place FROM sent
)
INSERT INTO quarantine (team_id, id, entry_id, incident_id, content_digest, staff_id, device_id, side, role, profession,
                        sealed, key_ref, problem, newer, skew_ms)
SELECT :team_id, x.id, x.entry_id, x.incident_id, x.digest, :account, :device, :side, :role, :profession, x.sealed,
       x.key_ref, x.problem, x.newer, x.skew_ms
FROM placed x
WHERE x.place + (SELECT count(*) FROM quarantine q
                 WHERE q.team_id = :team_id AND coalesce(q.device_id, q.staff_id) = coalesce(:device::uuid, :account::uuid)
                   AND q.settled IS NULL AND q.newer = x.newer) <= :most
ORDER BY x.n
ON CONFLICT DO NOTHING

-- name: kept
-- why: which of these are held, whether kept now or before
SELECT content_digest, id FROM quarantine
WHERE team_id = :team_id AND coalesce(device_id, staff_id) = :phone AND content_digest = ANY (:digests::bytea[])
  AND settled IS NULL

-- name: record_sent
-- why: what a phone sent counts as served to it, also where it did not enter the log
INSERT INTO intent_served (team_id, incident_id, staff_id, phone)
SELECT :team_id, x, :account, coalesce(d.installation, d.device_id)
FROM device d, unnest(:incident_ids::uuid[]) x WHERE d.team_id = :team_id AND d.device_id = :device
ON CONFLICT DO NOTHING

-- name: list
-- why: one side's queue, oldest first, keyset-paged
SELECT id, entry_id, device_id, sealed, key_ref, problem, received_at FROM quarantine
WHERE team_id = :team_id AND side = :side AND settled IS NULL
  AND (:after_at::timestamptz IS NULL OR (received_at, id) > (:after_at, :after_id))
ORDER BY received_at, id LIMIT :most

-- name: count
-- why: how many items a side has to decide on
SELECT count(*) FROM quarantine WHERE team_id = :team_id AND side = :side AND settled IS NULL

-- name: list_newer
-- why: what waits for a version that understands it, from devices that were good, in the order in which it came
SELECT received_at, id FROM quarantine
WHERE team_id = :team_id AND settled IS NULL AND newer AND (received_at, id) > (:after_at, :after_id)
ORDER BY received_at, id LIMIT :most

-- name: find
-- why: one item, to decide on it
SELECT id, entry_id, staff_id, device_id, side, role, profession, sealed, key_ref, problem, newer, received_at, skew_ms,
       settled
FROM quarantine WHERE team_id = :team_id AND id = :id

-- name: settle
-- why: released or discarded once; the sealed content goes with it, and the key it was sealed under is to follow
WITH waiting AS (
    SELECT id, key_ref FROM quarantine WHERE team_id = :team_id AND id = :id AND settled IS NULL FOR UPDATE
)
UPDATE quarantine q SET settled = :how, settled_by = :by, settled_at = now(), sealed = NULL, key_ref = NULL
FROM waiting w WHERE q.team_id = :team_id AND q.id = w.id RETURNING w.id, w.key_ref

-- name: expire
-- why: nothing stays in quarantine for ever; what waits for a newer version stays a year
WITH waiting AS (
    SELECT id, key_ref FROM quarantine
    WHERE team_id = :team_id AND settled IS NULL
      AND received_at < now() - CASE WHEN newer THEN interval '12 months' ELSE make_interval(days => :days) END
    FOR UPDATE
)
UPDATE quarantine q SET settled = 'expired', settled_at = now(), sealed = NULL, key_ref = NULL
FROM waiting w WHERE q.team_id = :team_id AND q.id = w.id RETURNING w.id, w.key_ref
