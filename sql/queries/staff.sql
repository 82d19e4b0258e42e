-- name: add_team
-- why: a team with an empty log
WITH made AS (
    INSERT INTO team (team_id, name, zone, day_start_hour, starts_on, created_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING RETURNING team_id
)
INSERT INTO log_head (team_id) SELECT team_id FROM made

-- name: team_made
-- why: when a team was made, if it was
SELECT created_at FROM team WHERE team_id = $1

-- name: add_staff
-- why: a member of staff; adding the same one again changes nothing
INSERT INTO staff (team_id, staff_id, name, role, profession, issuer, subject) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (team_id, staff_id) DO NOTHING

-- name: list_staff
-- why: who belongs to a team
SELECT s.staff_id, s.name, s.role, s.profession, s.disabled_at,
       (SELECT count(*) FROM device d WHERE d.team_id = s.team_id AND d.staff_id = s.staff_id AND d.revoked_at IS NULL) AS devices
FROM staff s WHERE s.team_id = $1 ORDER BY s.role, s.name

-- name: disable_staff
-- why: access ends at once: the stamp makes remembered sign-ins stale, and the phones are revoked
WITH gone AS (
    UPDATE staff SET disabled_at = now(), stamp = stamp + 1 WHERE team_id = $1 AND staff_id = $2 AND disabled_at IS NULL
    RETURNING team_id, staff_id
)
UPDATE device d SET revoked_at = now() FROM gone g
WHERE d.team_id = g.team_id AND d.staff_id = g.staff_id AND d.revoked_at IS NULL RETURNING d.device_id

-- name: add_device
-- why: a device without a code, for the demo
INSERT INTO device (team_id, device_id, staff_id, name) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: add_partner
-- why: a partner organisation
INSERT INTO partner (team_id, partner_id, name, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
