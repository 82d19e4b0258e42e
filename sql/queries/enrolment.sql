-- name: account
-- why: whom a code is to enrol, and what the account may do
SELECT r.side, r.verbs, s.disabled_at IS NOT NULL AS disabled
FROM staff s JOIN role r USING (role) WHERE s.team_id = :team_id AND s.staff_id = :staff_id

-- name: add_code
-- why: a one-time code, stored as its hash
INSERT INTO enrolment (code_hash, team_id, staff_id, issued_by, expires_at)
VALUES (:code_hash, :team_id, :staff_id, :issued_by, now() + :valid_for) RETURNING expires_at

-- name: find_code
-- why: whom a code enrols, before a team is known
SELECT team_id, staff_id, expires_at, used_at FROM enrolling(:code_hash)

-- name: use_code
-- why: a code is used once, however many ask at the same moment
UPDATE enrolment SET used_at = now() WHERE code_hash = :code_hash AND used_at IS NULL AND expires_at > now()
RETURNING staff_id
