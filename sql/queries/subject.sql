-- name: linked
-- why: the incidents that concern the person now
SELECT incident_id FROM incident_person WHERE team_id = :team_id AND person_id = :person_id

-- name: ever_linked
-- why: the incidents that were ever said to concern the person, under any alias
SELECT DISTINCT e.belongs_to FROM entry e
WHERE e.team_id = :team_id AND e.kind = 'person_link' AND e.alias = ANY (:aliases::uuid[])

-- name: entries
-- why: every version: originals, amendments and withdrawals alike
SELECT id, seq, belongs_to AS incident_id, kind, received_at, author, profession, role, erased_at, body, sealed, key_ref
FROM entry WHERE team_id = :team_id AND belongs_to = ANY (:incidents::uuid[]) ORDER BY seq

-- name: operations
-- why: who read, and to whom it went
SELECT at, operation, actor, role, query, recipient FROM audit
WHERE team_id = :team_id AND ids && :ids::uuid[] ORDER BY at
