-- name: person
-- why: what is known of the person, sealed
SELECT sealed, key_ref FROM person WHERE team_id = $1 AND person_id = $2

-- name: linked
-- why: the incidents that concern the person now
SELECT incident_id FROM incident_person WHERE team_id = $1 AND person_id = $2

-- name: ever_linked
-- why: the incidents that were ever said to concern the person
SELECT DISTINCT incident_id FROM entry
WHERE team_id = $1 AND kind = 'person_link' AND convert_from(body, 'UTF8')::jsonb ->> 'person_id' = ($2::uuid)::text

-- name: entries
-- why: every version: originals, amendments and withdrawals alike
SELECT id, seq, incident_id, kind, received_at, author, profession, role, body, sealed, key_ref, erased_at
FROM entry WHERE team_id = $1 AND incident_id = ANY ($2::uuid[]) ORDER BY seq

-- name: operations
-- why: who read, and to whom it went
SELECT at, operation, actor, role, query, recipient FROM audit
WHERE team_id = $1 AND ids && $2::uuid[] ORDER BY at
