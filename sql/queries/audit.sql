-- name: record
-- why: one operation on records, written with the act or before its answer is sent
INSERT INTO audit (team_id, operation, actor, role, device, query, ids, recipient, detail)
VALUES (:team_id, :operation, :actor, :role, :device, :query, :ids, :recipient, :detail)

-- name: trail
-- why: the auditor's list, newest first, keyset-paged; conditions left out are null. A person's incidents count as the person's
SELECT t.at, t.operation, t.actor, t.role, t.device, t.query, t.ids, t.recipient, t.detail, t.n, t.link IS NOT NULL AS sealed
FROM audit_trail t,
    (SELECT coalesce((SELECT a.person_id FROM person_alias a WHERE a.team_id = :team_id AND a.alias = :person), :person) AS person_id) w
WHERE t.team_id IN (:team_id, '00000000-0000-0000-0000-000000000000')
  AND (:person::uuid IS NULL OR t.ids && array_append(
        ARRAY(SELECT p.incident_id FROM incident_person p WHERE p.team_id = :team_id AND p.person_id = w.person_id)
        || ARRAY(SELECT a.alias FROM person_alias a WHERE a.team_id = :team_id AND a.person_id = w.person_id) || w.person_id, :person))
  AND (:incident::uuid IS NULL OR t.ids && array_append(
        ARRAY(SELECT o.id FROM incident i JOIN incident o ON o.team_id = i.team_id AND o.root = i.root AND NOT o.blind
              WHERE i.team_id = :team_id AND i.id = :incident AND NOT i.blind), :incident))
  AND (:actor::uuid IS NULL OR t.actor = :actor)
  AND (:since::timestamptz IS NULL OR t.at >= :since)
  AND (:until::timestamptz IS NULL OR t.at < :until)
  AND (:operation::text IS NULL OR t.operation = :operation)
  AND (:after_at::timestamptz IS NULL OR (t.at, t.n, t.query) < (:after_at, :after_n, :after_query))
ORDER BY t.at DESC, t.n DESC, t.query DESC LIMIT :most

-- name: readers
-- why: who read an incident without having written a word of it
WITH ids AS (
    SELECT array_append(array_agg(o.id), :incident) AS all_ids
    FROM incident i JOIN incident o ON o.team_id = i.team_id AND o.root = i.root AND NOT o.blind
    WHERE i.team_id = :team_id AND i.id = :incident AND NOT i.blind
)
SELECT a.actor, a.role, count(*)::int AS times, min(a.at) AS first_at, max(a.at) AS last_at
FROM audit a, ids
WHERE a.team_id = :team_id AND a.operation IN ('consultation', 'disclosure') AND a.query NOT LIKE 'audit%' AND a.ids && ids.all_ids
  AND NOT EXISTS (SELECT FROM entry e WHERE e.team_id = :team_id AND e.belongs_to = ANY (ids.all_ids) AND e.author = a.actor
                  AND e.received_at <= a.at AND NOT e.test)
GROUP BY a.actor, a.role ORDER BY max(a.at) DESC

-- name: unchained_teams
-- why: whose audit has rows that are not chained yet
SELECT DISTINCT team_id FROM audit WHERE link IS NULL

-- name: unchained_for
-- why: how long the oldest row of any team's audit has waited to be chained, in seconds
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float FROM audit WHERE link IS NULL

-- name: open_head
-- why: the first row of a team's audit finds a head to be chained to
INSERT INTO audit_head (team_id) VALUES (:team_id) ON CONFLICT DO NOTHING

-- name: take_head
-- why: one process seals a team at a time; the others pass on
SELECT position, link FROM audit_head WHERE team_id = :team_id FOR UPDATE SKIP LOCKED

-- name: unchained
-- why: what is to be chained next
SELECT at, operation, actor, role, device, query, ids, recipient, detail, id FROM audit
WHERE team_id = :team_id AND link IS NULL ORDER BY at, id LIMIT :most

-- name: chain
-- why: place and link of each row, at once
UPDATE audit a SET position = x.position, link = x.link
FROM unnest(:ats::timestamptz[], :ids::bigint[], :positions::bigint[], :links::bytea[]) x (at, id, position, link)
WHERE a.team_id = :team_id AND a.at = x.at AND a.id = x.id

-- name: move_head
-- why: where the chain stands
UPDATE audit_head SET position = :position, link = :link WHERE team_id = :team_id

-- name: head
-- why: where the chain stands, and where what is kept of it begins
SELECT position, link, from_position, from_link FROM audit_head WHERE team_id = :team_id

-- name: walk
-- why: verification recomputes every link in order
SELECT at, operation, actor, role, device, query, ids, recipient, detail, id, position, link FROM audit
WHERE team_id = :team_id AND position > :position ORDER BY position LIMIT :most

-- name: waiting
-- why: a tail that nobody seals is a fault
SELECT count(*) AS n, coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float AS seconds
FROM audit WHERE team_id = :team_id AND link IS NULL

-- name: add_month
-- why: the partition of a month to come
SELECT add_audit_month((date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => :ahead))::date)
