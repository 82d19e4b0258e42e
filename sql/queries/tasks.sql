-- name: add
-- why: the same form sent twice is one task
INSERT INTO task (team_id, id, incident_id, kind, made_by, addressee, about, sealed, key_ref, due_at)
VALUES (:team_id, :id, :incident_id, :kind, :made_by, :addressee, :about, :sealed, :key_ref, :due_at)
ON CONFLICT (team_id, id) DO NOTHING

-- name: record_answers
-- why: only an entry of the addressee that says what it answers closes a task, under any id of the incident
UPDATE task t SET answered_by = e.id, answered_at = e.received_at
FROM incident i JOIN incident o ON o.team_id = i.team_id AND o.root = i.root AND NOT o.blind
JOIN entry e ON e.team_id = o.team_id AND e.incident_id = o.id
WHERE t.team_id = :team_id AND t.answered_at IS NULL AND t.taken_back_at IS NULL
  AND (:addressee::uuid IS NULL OR t.addressee = :addressee) AND (:incident_id::uuid IS NULL OR t.incident_id = :incident_id)
  AND i.team_id = t.team_id AND i.id = t.incident_id AND NOT i.blind
  AND e.author = t.addressee AND e.received_at >= t.made_at AND e.erased_at IS NULL
  AND convert_from(e.body, 'UTF8')::jsonb ->> 'answers' = t.id::text

-- name: open_of
-- why: what an account has to answer; a nurse is asked of an incident only once she has judged it, and of one that is
-- restricted after a death nobody in the field is; 0.9.0 could take a question back, which no version does any more
SELECT t.id, t.incident_id, t.kind, t.about, t.made_at, t.due_at, t.made_by, m.name AS from_name, t.addressee,
       a.name AS to_name, t.answered_by, t.answered_at, t.sealed, t.key_ref
FROM task t JOIN staff m ON m.team_id = t.team_id AND m.staff_id = t.made_by
JOIN staff a ON a.team_id = t.team_id AND a.staff_id = t.addressee JOIN role r ON r.role = a.role
JOIN incident i ON i.team_id = t.team_id AND i.id = t.incident_id AND NOT i.blind
JOIN incident w ON w.team_id = i.team_id AND w.id = i.root AND NOT w.blind
WHERE t.team_id = :team_id AND t.addressee = :addressee AND t.answered_at IS NULL AND t.taken_back_at IS NULL
  AND (r.level = 'lead' OR NOT w.restricted)
  AND (a.profession <> 'nurse' OR r.level = 'lead' OR t.addressee = ANY (w.judged_by))
ORDER BY t.due_at NULLS LAST, t.made_at, t.id

-- name: of_incident
-- why: what was asked about an incident under any of its ids, by the reader's own side
SELECT t.id, t.incident_id, t.kind, t.about, t.made_at, t.due_at, t.made_by, m.name AS from_name, t.addressee,
       a.name AS to_name, t.answered_by, t.answered_at, t.sealed, t.key_ref
FROM task t JOIN staff m ON m.team_id = t.team_id AND m.staff_id = t.made_by
JOIN staff a ON a.team_id = t.team_id AND a.staff_id = t.addressee JOIN role r ON r.role = a.role
WHERE t.team_id = :team_id AND t.incident_id = ANY (:incident_ids::uuid[]) AND r.side = :side AND t.taken_back_at IS NULL
ORDER BY t.made_at, t.id

-- name: filed
-- why: whom incidents concern is told all that was asked about them, by whichever side
SELECT t.id, t.incident_id, t.kind, t.about, t.made_at, t.due_at, t.made_by, m.name AS from_name, t.addressee,
       a.name AS to_name, t.answered_by, t.answered_at, t.sealed, t.key_ref
FROM task t JOIN staff m ON m.team_id = t.team_id AND m.staff_id = t.made_by
JOIN staff a ON a.team_id = t.team_id AND a.staff_id = t.addressee
WHERE t.team_id = :team_id AND t.incident_id = ANY (:incident_ids::uuid[]) AND t.taken_back_at IS NULL
ORDER BY t.made_at, t.id

-- name: open_chases
-- why: who was given what to chase, for the list of what is open
SELECT t.id, i.root AS incident_id, t.kind, t.about, t.made_at, t.due_at, t.made_by, m.name AS from_name,
       t.addressee, a.name AS to_name, t.answered_by, t.answered_at, NULL::bytea AS sealed, NULL::uuid AS key_ref
FROM task t JOIN staff m ON m.team_id = t.team_id AND m.staff_id = t.made_by
JOIN staff a ON a.team_id = t.team_id AND a.staff_id = t.addressee JOIN role r ON r.role = a.role
JOIN incident i ON i.team_id = t.team_id AND i.id = t.incident_id AND NOT i.blind
WHERE t.team_id = :team_id AND r.side = :side AND t.answered_at IS NULL AND t.taken_back_at IS NULL
ORDER BY t.made_at

-- name: colleagues
-- why: who may be asked: the staff of one's own side, by name
SELECT s.staff_id, s.name, s.role, s.profession, r.level FROM staff s JOIN role r USING (role)
WHERE s.team_id = :team_id AND r.side = :side AND s.disabled_at IS NULL ORDER BY s.name, s.staff_id
