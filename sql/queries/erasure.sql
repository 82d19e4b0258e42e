-- name: person
-- why: whom an alias, or the person's own id, means, and the key of the person; locked, so that nobody adds to the person meanwhile
SELECT p.person_id, p.key_ref FROM person p
WHERE p.team_id = $1 AND p.person_id = coalesce(
    (SELECT a.person_id FROM person_alias a WHERE a.team_id = $1 AND a.alias = $2), $2) FOR UPDATE

-- name: forget_identifiers
-- why: what an erased person could be found by
DELETE FROM person_identifier WHERE team_id = $1 AND person_id = $2

-- name: empty_person
-- why: the row stays, because entries point at it; nothing is left in it
UPDATE person SET sealed = NULL, key_ref = NULL, erased_at = now()
WHERE team_id = $1 AND person_id = $2 AND erased_at IS NULL

-- name: incidents_of
-- why: every incident that concerns the person, under all of its ids
SELECT incident_id AS id FROM incident_person WHERE team_id = $1 AND person_id = $2

-- name: held
-- why: what must not be destroyed
SELECT DISTINCT i.id FROM unnest($2::uuid[]) x JOIN incident i ON i.team_id = $1 AND i.id = x AND NOT i.blind
WHERE is_held(i.team_id, i.root)

-- name: texts
-- why: the sealed texts of incidents
SELECT id, key_ref FROM entry WHERE team_id = $1 AND belongs_to = ANY ($2::uuid[]) AND sealed IS NOT NULL

-- name: empty_entries
-- why: the sealed text goes, its digest stays for the chain
UPDATE entry SET sealed = NULL, erased_at = now() WHERE team_id = $1 AND id = ANY ($2::uuid[]) AND sealed IS NOT NULL

-- name: end_scope
-- why: phones are told to let the incident go; the second is for cursors issued at this moment
UPDATE incident SET scope_until = least(scope_until, now() + interval '1 second')
WHERE team_id = $1 AND id = ANY ($2::uuid[])

-- name: quarantined
-- why: what waits in quarantine may belong to the incident; only its content says so
SELECT id, sealed, key_ref FROM quarantine WHERE team_id = $1 AND settled IS NULL

-- name: entry_ids
-- why: what waits in quarantine may correct an entry of the incident
SELECT id FROM entry WHERE team_id = $1 AND belongs_to = ANY ($2::uuid[])

-- name: mark_erased
-- why: nothing new is taken for an incident that was erased
INSERT INTO erased_incident (team_id, incident_id) SELECT $1, x FROM unnest($2::uuid[]) x ON CONFLICT DO NOTHING

-- name: discard
-- why: sealed content in quarantine is destroyed with the incident's
UPDATE quarantine SET settled = 'expired', settled_at = now(), sealed = NULL, key_ref = NULL
WHERE team_id = $1 AND id = ANY ($2::uuid[]) AND settled IS NULL

-- name: add_receipt
-- why: who and when, and not what
INSERT INTO erasure (team_id, id, by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: hold
-- why: nothing of the incident is destroyed until the hold is lifted
INSERT INTO legal_hold (team_id, incident_id, reason, by, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING

-- name: lift
-- why: every hold of the incident from before; for a death the row says that somebody lifted it
WITH lifted AS (
    UPDATE legal_hold SET lifted_at = $4
    WHERE team_id = $1 AND incident_id = $2 AND lifted_at IS NULL AND at < $4::timestamptz RETURNING 1
)
INSERT INTO legal_hold (team_id, incident_id, reason, by, at, lifted_at)
SELECT $1, $2, 'lifted', $3, $4, $4 WHERE NOT EXISTS (SELECT FROM lifted) ON CONFLICT DO NOTHING

-- name: due_people
-- why: people without contact for so many months, none of whose incidents is held; of somebody under 18 not for 25 years
SELECT p.person_id, max(i.occurred_at) AS last_at FROM person p
LEFT JOIN incident_person l USING (team_id, person_id)
LEFT JOIN incident i ON i.team_id = p.team_id AND i.id = l.incident_id AND NOT i.blind
WHERE p.team_id = $1 AND p.erased_at IS NULL
GROUP BY p.person_id, p.created_at
HAVING greatest(max(i.occurred_at), p.created_at) < $3::timestamptz - make_interval(months =>
           CASE WHEN bool_or(i.flags @> '{under_18}') THEN greatest($2, 25 * 12) ELSE $2 END)
   AND NOT coalesce(bool_or(is_held(i.team_id, i.root)), false)

-- name: due_texts
-- why: one side's notes of incidents past a period and not held; of somebody under 18 not for 25 years
SELECT e.id, e.incident_id, e.key_ref, r.id AS root
FROM incident r
JOIN incident i ON i.team_id = r.team_id AND i.root = r.id AND NOT i.blind
JOIN entry e ON e.team_id = i.team_id AND e.belongs_to = i.id AND e.sealed IS NOT NULL
WHERE r.team_id = $1 AND NOT r.blind AND r.root = r.id AND (e.profession = 'police') = $4
  AND r.occurred_at < $3::timestamptz - make_interval(months =>
      CASE WHEN r.flags @> '{under_18}' THEN greatest($2, 25 * 12) ELSE $2 END)
  AND NOT is_held(r.team_id, r.id)

-- name: due_asked
-- why: what one side's leads asked about these incidents is as old as its notes
SELECT t.id, t.incident_id, t.key_ref, r.id AS root
FROM incident r
JOIN incident i ON i.team_id = r.team_id AND i.root = r.id AND NOT i.blind
JOIN task t ON t.team_id = i.team_id AND t.incident_id = i.id AND t.key_ref IS NOT NULL
JOIN staff m ON m.team_id = t.team_id AND m.staff_id = t.made_by JOIN role o ON o.role = m.role
WHERE r.team_id = $1 AND NOT r.blind AND r.root = r.id AND (o.side = 'police') = $4
  AND r.occurred_at < $3::timestamptz - make_interval(months =>
      CASE WHEN r.flags @> '{under_18}' THEN greatest($2, 25 * 12) ELSE $2 END)
  AND NOT is_held(r.team_id, r.id)

-- name: due_quarantine
-- why: what nobody decided on in time
SELECT id, key_ref FROM quarantine
WHERE team_id = $1 AND settled IS NULL
  AND received_at < $3::timestamptz - CASE WHEN newer THEN interval '12 months' ELSE make_interval(days => $2) END

-- name: retention
-- why: the owner's table of periods
SELECT part, months, afterwards, applied, source, review_on FROM retention ORDER BY part

-- name: due_audit
-- why: months of the audit older than their period
SELECT count(*) FROM audit WHERE team_id = $1 AND at < $3::timestamptz - make_interval(months => $2)

-- name: audit_months
-- why: the months of the audit that have a partition of their own
SELECT c.relname::text AS name FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
WHERE h.inhparent = 'audit'::regclass AND c.relname ~ '^audit_[0-9]{4}_[0-9]{2}$' ORDER BY c.relname

-- name: begin_audit
-- why: what is kept of the chain begins after the last row of a month that goes
UPDATE audit_head SET from_position = $2, from_link = $3 WHERE team_id = $1 AND from_position < $2

-- name: claim_run
-- why: one process looks at a team, once a day
SELECT pg_try_advisory_xact_lock(hashtextextended('retention ' || $1::uuid, 0))
   AND NOT EXISTS (SELECT FROM retention_run WHERE team_id = $1 AND day = $2)

-- name: add_run
-- why: what was found, and whether it was done
INSERT INTO retention_run (team_id, day, applied, found) VALUES ($1, $2, $3, $4)

-- name: runs
-- why: an owner sees what the daily job would do before switching it on
SELECT day, applied, found FROM retention_run WHERE team_id = $1 ORDER BY day DESC LIMIT 7

-- name: asked
-- why: what a lead asked about an incident is a note like others, and goes with them
SELECT id, key_ref FROM task WHERE team_id = $1 AND incident_id = ANY ($2::uuid[]) AND key_ref IS NOT NULL

-- name: empty_tasks
-- why: the texts of tasks whose keys were destroyed, at once or when the journal is read again
UPDATE task SET sealed = NULL, key_ref = NULL WHERE team_id = $1 AND key_ref = ANY ($2::uuid[])
