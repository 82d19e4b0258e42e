-- name: lock
-- why: two requests that tell of the same person at once make one person; locks are taken in one order
SELECT pg_advisory_xact_lock(x) FROM unnest(:locks::bigint[]) x

-- name: find
-- why: whom an identifier belongs to, and whether that person has a number of one side already
SELECT i.kind, i.person_id, p.sealed, p.key_ref,
       EXISTS (SELECT FROM person_identifier o WHERE o.team_id = :team_id AND o.person_id = i.person_id
               AND o.kind IN ('nhs_number', 'police_ref')) AS numbered
FROM person_identifier i JOIN person p USING (team_id, person_id)
WHERE i.team_id = :team_id AND i.digest = ANY (:digests::bytea[]) AND p.erased_at IS NULL

-- name: add
-- why: a person, sealed
INSERT INTO person (team_id, person_id, sealed, key_ref) VALUES (:team_id, :person_id, :sealed, :key_ref)

-- name: add_alias
-- why: everybody who tells of a person gets an id of his own, so that no id tells whether the person was known
INSERT INTO person_alias (team_id, alias, person_id) VALUES (:team_id, :alias, :person_id) ON CONFLICT DO NOTHING

-- name: add_identifiers
-- why: what the person is found by from now on
INSERT INTO person_identifier (team_id, digest, kind, person_id)
SELECT :team_id, x.digest, x.kind, :person_id FROM unnest(:digests::bytea[], :kinds::text[]) x (digest, kind)

-- name: reseal
-- why: what became known later is sealed with the rest, under the same key
UPDATE person SET sealed = :sealed WHERE team_id = :team_id AND person_id = :person_id AND erased_at IS NULL

-- name: is_open
-- why: a search serves an incident that is under way, under any of its ids; null for no incident of the team
SELECT r.status IN ('open', 'awaiting_outcome') AS is_open
FROM incident i JOIN incident r ON r.team_id = i.team_id AND r.id = i.root AND NOT r.blind
WHERE i.team_id = :team_id AND i.id = :incident_id AND NOT i.blind

-- name: match
-- why: who has this number or reference
SELECT i.person_id FROM person_identifier i JOIN person p USING (team_id, person_id)
WHERE i.team_id = :team_id AND i.digest = :digest AND p.erased_at IS NULL

-- name: resolve
-- why: whom an alias means, and what is known of the person, sealed; a person's own id means the person too
SELECT p.person_id, p.sealed, p.key_ref FROM person p
WHERE p.team_id = :team_id AND p.person_id = coalesce(
    (SELECT a.person_id FROM person_alias a WHERE a.team_id = :team_id AND a.alias = :person_id), :person_id)

-- name: aliases
-- why: every id under which somebody may speak of the person
SELECT alias FROM person_alias WHERE team_id = :team_id AND person_id = :person_id
