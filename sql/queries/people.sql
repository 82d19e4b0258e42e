-- name: lock
-- why: two requests that tell of the same person at once make one person; locks are taken in one order
SELECT pg_advisory_xact_lock(x) FROM unnest($1::bigint[]) x

-- name: find
-- why: whom an identifier belongs to, and whether that person has a number of one side already
SELECT i.kind, i.person_id, p.sealed, p.key_ref,
       EXISTS (SELECT FROM person_identifier o WHERE o.team_id = $1 AND o.person_id = i.person_id
               AND o.kind IN ('nhs_number', 'police_ref')) AS numbered
FROM person_identifier i JOIN person p USING (team_id, person_id)
WHERE i.team_id = $1 AND i.digest = ANY ($2::bytea[]) AND p.erased_at IS NULL

-- name: add
-- why: a person, sealed
INSERT INTO person (team_id, person_id, sealed, key_ref) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: add_identifiers
-- why: what the person is found by from now on
INSERT INTO person_identifier (team_id, digest, kind, person_id)
SELECT $1, x.digest, x.kind, $4 FROM unnest($2::bytea[], $3::text[]) x (digest, kind)

-- name: reseal
-- why: what became known later is sealed with the rest, under the same key
UPDATE person SET sealed = $3 WHERE team_id = $1 AND person_id = $2 AND erased_at IS NULL

-- name: match
-- why: who has this number or reference, if an incident of the person is open now
SELECT i.person_id FROM person_identifier i
WHERE i.team_id = $1 AND i.digest = $2 AND EXISTS (
    SELECT FROM incident_person l JOIN incident n ON n.team_id = l.team_id AND n.id = l.incident_id AND NOT n.blind
    WHERE l.team_id = $1 AND l.person_id = i.person_id AND n.status IN ('open', 'awaiting_outcome'))
