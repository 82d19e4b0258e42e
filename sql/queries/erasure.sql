-- name: person
-- why: whom an alias, or the person's own id, means, and the key of the person; locked, so that nobody adds to the person meanwhile
SELECT p.person_id, p.key_ref FROM person p
WHERE p.team_id = :team_id AND p.person_id = coalesce(
    (SELECT a.person_id FROM person_alias a WHERE a.team_id = :team_id AND a.alias = :id), :id) FOR UPDATE

-- name: forget_identifiers
-- why: what an erased person could be found by
DELETE FROM person_identifier WHERE team_id = :team_id AND person_id = :person_id

-- name: empty_person
-- why: the row stays, because entries point at it; nothing is left in it
UPDATE person SET sealed = NULL, key_ref = NULL, erased_at = now()
WHERE team_id = :team_id AND person_id = :person_id AND erased_at IS NULL

-- name: incidents_of
-- why: every incident that concerns the person, under all of its ids
SELECT incident_id AS id FROM incident_person WHERE team_id = :team_id AND person_id = :person_id

-- name: held
-- why: what must not be destroyed
SELECT DISTINCT i.id
FROM unnest(:incidents::uuid[]) x JOIN incident i ON i.team_id = :team_id AND i.id = x AND NOT i.blind
WHERE is_held(i.team_id, i.root)

-- name: texts
-- why: the sealed texts of incidents
SELECT id, key_ref FROM entry
WHERE team_id = :team_id AND belongs_to = ANY (:incidents::uuid[]) AND sealed IS NOT NULL

-- name: empty_entries
-- why: the sealed text goes, its digest stays for the chain
UPDATE entry SET sealed = NULL, erased_at = now()
WHERE team_id = :team_id AND id = ANY (:ids::uuid[]) AND sealed IS NOT NULL

-- name: end_scope
-- why: phones are told to let the incident go; the second is for cursors issued at this moment
UPDATE incident SET scope_until = least(scope_until, now() + interval '1 second')
WHERE team_id = :team_id AND id = ANY (:incidents::uuid[])

-- name: quarantined
-- why: what waits in quarantine may belong to the incident; only its content says so
SELECT id, key_ref, sealed FROM quarantine WHERE team_id = :team_id AND settled IS NULL

-- name: entry_ids
-- why: what waits in quarantine may correct an entry of the incident
SELECT id FROM entry WHERE team_id = :team_id AND belongs_to = ANY (:incidents::uuid[])

-- name: mark_erased
-- why: nothing new is taken for an incident that was erased
INSERT INTO erased_incident (team_id, incident_id)
SELECT :team_id, x FROM unnest(:incidents::uuid[]) x ON CONFLICT DO NOTHING

-- name: discard
-- why: sealed content in quarantine is destroyed with the incident's
UPDATE quarantine SET settled = 'expired', settled_at = now(), sealed = NULL, key_ref = NULL
WHERE team_id = :team_id AND id = ANY (:ids::uuid[]) AND settled IS NULL

-- name: add_receipt
-- why: who and when, and not what
INSERT INTO erasure (team_id, id, by) VALUES (:team_id, :id, :by) ON CONFLICT DO NOTHING

-- name: hold
-- why: nothing of the incident is destroyed until the hold is lifted
INSERT INTO legal_hold (team_id, incident_id, reason, by, at)
VALUES (:team_id, :incident_id, :reason, :by, :at) ON CONFLICT DO NOTHING

-- name: lift
-- why: every hold of the incident from before; for a death the row says that somebody lifted it
WITH lifted AS (
    UPDATE legal_hold SET lifted_at = :at
    WHERE team_id = :team_id AND incident_id = :incident_id AND lifted_at IS NULL AND at < :at::timestamptz
    RETURNING 1
)
INSERT INTO legal_hold (team_id, incident_id, reason, by, at, lifted_at)
SELECT :team_id, :incident_id, 'lifted', :by, :at, :at WHERE NOT EXISTS (SELECT FROM lifted) ON CONFLICT DO NOTHING

-- name: due_people
-- why: people without contact for so many months, none of whose incidents is held; of somebody under 18 not for 25 years
SELECT p.person_id FROM person p
LEFT JOIN incident_person l USING (team_id, person_id)
LEFT JOIN incident i ON i.team_id = p.team_id AND i.id = l.incident_id AND NOT i.blind
WHERE p.team_id = :team_id AND p.erased_at IS NULL
GROUP BY p.person_id, p.created_at
HAVING greatest(max(i.occurred_at), p.created_at) < :now::timestamptz - make_interval(months =>
           CASE WHEN bool_or(i.flags @> '{under_18}') THEN greatest(:months, 25 * 12) ELSE :months END)
   AND NOT coalesce(bool_or(is_held(i.team_id, i.root)), false)

-- name: due_texts
-- why: one side's notes of incidents past a period and not held; of somebody under 18 not for 25 years
SELECT e.id, e.key_ref, e.incident_id, r.id AS root
FROM incident r
JOIN incident i ON i.team_id = r.team_id AND i.root = r.id AND NOT i.blind
JOIN entry e ON e.team_id = i.team_id AND e.belongs_to = i.id AND e.sealed IS NOT NULL
WHERE r.team_id = :team_id AND NOT r.blind AND r.root = r.id AND (e.profession = 'police') = :police
  AND r.occurred_at < :now::timestamptz - make_interval(months =>
      CASE WHEN r.flags @> '{under_18}' THEN greatest(:months, 25 * 12) ELSE :months END)
  AND NOT is_held(r.team_id, r.id)

-- name: due_asked
-- why: what one side's leads asked about these incidents is as old as its notes
SELECT t.id, t.key_ref, t.incident_id, r.id AS root
FROM incident r
JOIN incident i ON i.team_id = r.team_id AND i.root = r.id AND NOT i.blind
JOIN task t ON t.team_id = i.team_id AND t.incident_id = i.id AND t.key_ref IS NOT NULL
JOIN staff m ON m.team_id = t.team_id AND m.staff_id = t.made_by JOIN role o ON o.role = m.role
WHERE r.team_id = :team_id AND NOT r.blind AND r.root = r.id AND (o.side = 'police') = :police
  AND r.occurred_at < :now::timestamptz - make_interval(months =>
      CASE WHEN r.flags @> '{under_18}' THEN greatest(:months, 25 * 12) ELSE :months END)
  AND NOT is_held(r.team_id, r.id)

-- name: due_quarantine
-- why: what nobody decided on in time
SELECT id, key_ref FROM quarantine
WHERE team_id = :team_id AND settled IS NULL
  AND received_at < :now::timestamptz
      - CASE WHEN newer THEN interval '12 months' ELSE make_interval(days => :days) END

-- name: retention
-- why: the owner's table of periods
SELECT part, months, afterwards, applied, review_on FROM retention ORDER BY part

-- name: due_audit
-- why: months of the audit older than their period
SELECT count(*) AS n FROM audit WHERE team_id = :team_id AND at < :now::timestamptz - make_interval(months => :months)

-- name: audit_months
-- why: the months of the audit that have a partition of their own
SELECT c.relname::text AS name FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
WHERE h.inhparent = 'audit'::regclass AND c.relname ~ '^audit_[0-9]{4}_[0-9]{2}$' ORDER BY c.relname

-- name: begin_audit
-- why: what is kept of the chain begins after the last row of a month that goes
UPDATE audit_head SET from_position = :position, from_link = :link
WHERE team_id = :team_id AND from_position < :position

-- name: claim_run
-- why: one process looks at a team, once a day
SELECT pg_try_advisory_xact_lock(hashtextextended('retention ' || :team_id::uuid, 0))
   AND NOT EXISTS (SELECT FROM retention_run WHERE team_id = :team_id AND day = :day)

-- name: add_run
-- why: what was found, and whether it was done
INSERT INTO retention_run (team_id, day, applied, found) VALUES (:team_id, :day, :applied, :due)

-- name: runs
-- why: an owner sees what the daily job would do before switching it on
SELECT day, applied, found AS due FROM retention_run WHERE team_id = :team_id ORDER BY day DESC LIMIT 7

-- name: asked
-- why: what a lead asked about an incident is a note like others, and goes with them
SELECT id, key_ref FROM task
WHERE team_id = :team_id AND incident_id = ANY (:incidents::uuid[]) AND key_ref IS NOT NULL

-- name: empty_tasks
-- why: the texts of tasks whose keys were destroyed, at once or when the journal is read again
UPDATE task SET sealed = NULL, key_ref = NULL WHERE team_id = :team_id AND key_ref = ANY (:keys::uuid[])
