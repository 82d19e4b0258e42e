-- name: find
-- why: an account as others see it
SELECT staff_id, name, role, profession FROM staff WHERE team_id = :team_id AND staff_id = :staff_id

-- name: add
-- why: a member of staff, of the role's first profession where no other is given; adding the same one again changes nothing
INSERT INTO staff (team_id, staff_id, name, role, profession, issuer, subject)
VALUES (:team_id, :staff_id, :name, :role,
        coalesce(:profession, (SELECT r.professions[1] FROM role r WHERE r.role = :role)), :issuer, :subject)
ON CONFLICT (team_id, staff_id) DO NOTHING

-- name: list
-- why: who belongs to a team
SELECT s.staff_id, s.name, s.role, s.profession, s.disabled_at,
       (SELECT count(*) FROM device d
        WHERE d.team_id = s.team_id AND d.staff_id = s.staff_id AND d.revoked_at IS NULL) AS devices
FROM staff s WHERE s.team_id = :team_id ORDER BY s.role, s.name

-- name: disable
-- why: access ends at once: the stamp makes remembered sign-ins stale, and the phones are revoked
WITH gone AS (
    UPDATE staff SET disabled_at = now(), stamp = stamp + 1
    WHERE team_id = :team_id AND staff_id = :staff_id AND disabled_at IS NULL
    RETURNING team_id, staff_id
)
UPDATE device d SET revoked_at = now() FROM gone g
WHERE d.team_id = g.team_id AND d.staff_id = g.staff_id AND d.revoked_at IS NULL RETURNING d.device_id

-- name: end_sessions
-- why: whoever signs out leaves no session behind, not even a copied one
UPDATE staff SET stamp = stamp + 1 WHERE team_id = :team_id AND staff_id = :staff_id

-- name: colleagues
-- why: colleagues of one's own side are called by name
SELECT s.staff_id, s.name FROM staff s JOIN role r USING (role)
WHERE s.team_id = :team_id AND s.staff_id = ANY (:ids::uuid[]) AND r.side = :side

-- name: add_partner
-- why: a partner organisation
INSERT INTO partner (team_id, partner_id, name, body) VALUES (:team_id, :partner_id, :name, :body) ON CONFLICT DO NOTHING
