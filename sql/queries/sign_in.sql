-- name: authenticate
-- why: who a token stands for, before a team is known
SELECT team_id, staff_id, partner_id, device_id, role, profession, side, level, verbs, stamp, disabled,
       device_revoked, replaced, send_only, coalesce(used_at, created_at) AS last_used_at, used_at IS NULL AS unused
FROM authenticate(:token_hash)

-- name: authenticate_subject
-- why: who an issuer's access token stands for, before a team is known
SELECT team_id, staff_id, partner_id, device_id, role, profession, side, level, verbs, stamp, disabled
FROM authenticate_subject(:issuer, :subject)

-- name: account
-- why: whether the account of a session still stands as it did when it signed in, asked on every request
SELECT s.team_id, s.staff_id, NULL::uuid AS partner_id, NULL::uuid AS device_id, s.role, s.profession, r.side, r.level,
       r.verbs, s.stamp, false AS disabled
FROM staff s JOIN role r USING (role) WHERE s.team_id = :team_id AND s.staff_id = :staff_id AND s.disabled_at IS NULL

-- name: touch_token
-- why: the first use of a token ends the ones of its kind before it, also where remembered; later uses keep it from expiring
WITH used AS (
    UPDATE token SET used_at = now() WHERE hash = :token_hash RETURNING team_id, device_id, created_at, send_only
), seen AS (
    UPDATE device d SET last_seen_at = now() FROM used u WHERE d.team_id = u.team_id AND d.device_id = u.device_id
), ended AS (
    UPDATE token t SET revoked_at = now() FROM used u
    WHERE t.device_id = u.device_id AND t.hash <> :token_hash AND t.created_at < u.created_at AND t.revoked_at IS NULL
      AND t.send_only = u.send_only
    RETURNING t.team_id, t.device_id
)
UPDATE staff s SET stamp = stamp + 1
WHERE (s.team_id, s.staff_id) IN (SELECT d.team_id, d.staff_id FROM ended e JOIN device d USING (team_id, device_id))
