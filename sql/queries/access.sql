-- name: authenticate
-- why: who a token stands for, before a team is known
SELECT * FROM authenticate($1)

-- name: touch_token
-- why: the first use of a token ends the ones before it, also where remembered; later uses keep it from expiring
WITH used AS (
    UPDATE token SET used_at = now() WHERE hash = $1 RETURNING team_id, device_id, created_at
), seen AS (
    UPDATE device d SET last_seen_at = now() FROM used u WHERE d.team_id = u.team_id AND d.device_id = u.device_id
), ended AS (
    UPDATE token t SET revoked_at = now() FROM used u
    WHERE t.device_id = u.device_id AND t.hash <> $1 AND t.created_at < u.created_at AND t.revoked_at IS NULL
    RETURNING t.team_id, t.device_id
)
UPDATE staff s SET stamp = stamp + 1
WHERE (s.team_id, s.staff_id) IN (SELECT d.team_id, d.staff_id FROM ended e JOIN device d USING (team_id, device_id))

-- name: add_token
-- why: a further token of a device or partner
INSERT INTO token (hash, team_id, device_id, partner_id) VALUES ($1, $2, $3, $4)

-- name: attempt
-- why: one statement counts across processes, where a read and a write would let many through at once
INSERT INTO attempt AS a (bucket, opened_at) VALUES ($1, date_bin($2, now(), 'epoch'))
ON CONFLICT (bucket, opened_at) DO UPDATE SET n = a.n + 1
RETURNING n, extract(epoch FROM opened_at + $2 - now())::int + 1 AS seconds_left

-- name: forget_attempts
-- why: closed windows are of no further use
DELETE FROM attempt WHERE opened_at < now() - interval '1 day'

-- name: staff
-- why: the person an enrolment or a device concerns
SELECT s.staff_id, s.name, s.role, s.profession, r.side, r.verbs, s.disabled_at IS NOT NULL AS disabled
FROM staff s JOIN role r USING (role) WHERE s.team_id = $1 AND s.staff_id = $2

-- name: team
-- why: what a phone needs to know of its team
SELECT team_id, name, zone, day_start_hour, starts_on FROM team WHERE team_id = $1

-- name: add_enrolment
-- why: a one-time code, stored as its hash
INSERT INTO enrolment (code_hash, team_id, staff_id, issued_by, expires_at)
VALUES ($1, $2, $3, $4, now() + $5) RETURNING expires_at

-- name: enrolling
-- why: whom a code enrols, before a team is known
SELECT * FROM enrolling($1)

-- name: use_enrolment
-- why: a code is used once, however many ask at the same moment
UPDATE enrolment SET used_at = now() WHERE code_hash = $1 AND used_at IS NULL AND expires_at > now() RETURNING staff_id

-- name: add_device
-- why: a phone belongs to one member of staff and one team for ever
INSERT INTO device (team_id, device_id, staff_id, name) VALUES ($1, $2, $3, $4)

-- name: device
-- why: whose phone it is, to decide who may revoke it
SELECT d.device_id, d.staff_id, d.name, d.revoked_at IS NOT NULL AS revoked, r.side
FROM device d JOIN staff s USING (team_id, staff_id) JOIN role r USING (role)
WHERE d.team_id = $1 AND d.device_id = $2

-- name: revoke_device
-- why: at once and for ever; revoking again changes nothing
UPDATE device SET revoked_at = now(), revoked_by = $3 WHERE team_id = $1 AND device_id = $2 AND revoked_at IS NULL
RETURNING device_id

-- name: teams
-- why: jobs and commands work for each team in turn
SELECT team_id, zone, day_start_hour, starts_on FROM teams()

-- name: authenticate_subject
-- why: who an issuer's access token stands for, before a team is known
SELECT * FROM authenticate_subject($1, $2)

-- name: devices
-- why: the devices of one account, or all of a side, or all
SELECT d.device_id AS id, d.name, d.staff_id, s.name AS staff_name, r.side, d.created_at, d.last_seen_at, d.clock_skew_ms,
       d.revoked_at
FROM device d JOIN staff s USING (team_id, staff_id) JOIN role r USING (role)
WHERE d.team_id = $1 AND ($2::uuid IS NULL OR d.staff_id = $2) AND ($3::text IS NULL OR r.side = $3)
ORDER BY d.last_seen_at DESC, d.device_id LIMIT 1000

-- name: rename_device
-- why: what a phone is called, for the one who has to find it
UPDATE device SET name = $3 WHERE team_id = $1 AND device_id = $2

-- name: set_clock
-- why: whose clock is wrong shows before its entries are flagged
UPDATE device SET clock_skew_ms = $3 WHERE team_id = $1 AND device_id = $2
