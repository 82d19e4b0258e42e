-- name: add
-- why: a phone belongs to one member of staff and one team for ever
INSERT INTO device (team_id, device_id, staff_id, name, installation)
VALUES (:team_id, :device_id, :staff_id, :name, :installation) ON CONFLICT DO NOTHING

-- name: add_token
-- why: a further token of a device or partner
INSERT INTO token (hash, team_id, device_id, partner_id, send_only)
VALUES (:token_hash, :team_id, :device_id, :partner_id, :send_only)

-- name: find
-- why: whose phone it is, to decide who may revoke it
SELECT d.staff_id, r.side
FROM device d JOIN staff s USING (team_id, staff_id) JOIN role r USING (role)
WHERE d.team_id = :team_id AND d.device_id = :device_id

-- name: list
-- why: the devices of one account, or all of a side, or all, the latest seen first, keyset-paged
SELECT d.device_id AS id, d.name, d.staff_id, s.name AS staff_name, r.side, d.created_at, d.last_seen_at, d.clock_skew_ms,
       d.revoked_at, d.wiped_at
FROM device d JOIN staff s USING (team_id, staff_id) JOIN role r USING (role)
WHERE d.team_id = :team_id AND (:staff_id::uuid IS NULL OR d.staff_id = :staff_id)
  AND (:side::text IS NULL OR r.side = :side)
  AND (:after_seen_at::timestamptz IS NULL OR (d.last_seen_at, d.device_id) < (:after_seen_at, :after_id))
ORDER BY d.last_seen_at DESC, d.device_id DESC LIMIT :most

-- name: rename
-- why: what a phone is called, for the one who has to find it
UPDATE device SET name = :name WHERE team_id = :team_id AND device_id = :device_id

-- name: revoke
-- why: at once and for ever; revoking again changes nothing
UPDATE device SET revoked_at = now(), revoked_by = :revoked_by
WHERE team_id = :team_id AND device_id = :device_id AND revoked_at IS NULL RETURNING device_id

-- name: record_wipe
-- why: a phone's last word, said once and repeated without effect
UPDATE device SET wiped_at = now() WHERE team_id = :team_id AND device_id = :device_id AND wiped_at IS NULL

-- name: record_skew
-- why: whose clock is wrong shows before its entries are flagged
UPDATE device SET clock_skew_ms = :skew_ms WHERE team_id = :team_id AND device_id = :device_id
