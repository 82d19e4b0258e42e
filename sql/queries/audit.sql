-- name: note
-- why: one operation on records, written with the act or before its answer is sent
INSERT INTO audit (team_id, operation, actor, role, device, query, ids, recipient, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: trail
-- why: the auditor's list, newest first, keyset-paged; conditions left out are null. A person's incidents count as the person's
SELECT t.at, t.operation, t.actor, t.role, t.device, t.query, t.ids, t.recipient, t.detail, t.n, t.link IS NOT NULL AS sealed
FROM audit_trail t,
    (SELECT coalesce((SELECT a.person_id FROM person_alias a WHERE a.team_id = $1 AND a.alias = $2), $2) AS person_id) w
WHERE t.team_id IN ($1, '00000000-0000-0000-0000-000000000000')
  AND ($2::uuid IS NULL OR t.ids && array_append(
        ARRAY(SELECT p.incident_id FROM incident_person p WHERE p.team_id = $1 AND p.person_id = w.person_id)
        || ARRAY(SELECT a.alias FROM person_alias a WHERE a.team_id = $1 AND a.person_id = w.person_id) || w.person_id, $2))
  AND ($3::uuid IS NULL OR t.ids && array_append(
        ARRAY(SELECT o.id FROM incident i JOIN incident o ON o.team_id = i.team_id AND o.root = i.root AND NOT o.blind
              WHERE i.team_id = $1 AND i.id = $3 AND NOT i.blind), $3))
  AND ($4::uuid IS NULL OR t.actor = $4)
  AND ($5::timestamptz IS NULL OR t.at >= $5)
  AND ($6::timestamptz IS NULL OR t.at < $6)
  AND ($7::text IS NULL OR t.operation = $7)
  AND ($8::timestamptz IS NULL OR (t.at, t.n, t.query) < ($8, $9, $10))
ORDER BY t.at DESC, t.n DESC, t.query DESC LIMIT $11

-- name: readers
-- why: who read an incident without having written a word of it
WITH ids AS (
    SELECT array_append(array_agg(o.id), $2) AS all_ids
    FROM incident i JOIN incident o ON o.team_id = i.team_id AND o.root = i.root AND NOT o.blind
    WHERE i.team_id = $1 AND i.id = $2 AND NOT i.blind
)
SELECT a.actor, a.role, count(*)::int AS times, min(a.at) AS first_at, max(a.at) AS last_at
FROM audit a, ids
WHERE a.team_id = $1 AND a.operation IN ('consultation', 'disclosure') AND a.query NOT LIKE 'audit%' AND a.ids && ids.all_ids
  AND NOT EXISTS (SELECT FROM entry e WHERE e.team_id = $1 AND e.belongs_to = ANY (ids.all_ids) AND e.author = a.actor
                  AND e.received_at <= a.at AND NOT e.test)
GROUP BY a.actor, a.role ORDER BY max(a.at) DESC

-- name: unsealed_teams
-- why: whose audit has rows that are not chained yet
SELECT DISTINCT team_id FROM audit WHERE link IS NULL

-- name: open_head
-- why: the first row of a team's audit finds a head to be chained to
INSERT INTO audit_head (team_id) VALUES ($1) ON CONFLICT DO NOTHING

-- name: take_head
-- why: one process seals a team at a time; the others pass on
SELECT position, link FROM audit_head WHERE team_id = $1 FOR UPDATE SKIP LOCKED

-- name: unsealed
-- why: what is to be chained next
SELECT at, id, operation, actor, role, device, query, ids, recipient, detail FROM audit
WHERE team_id = $1 AND link IS NULL ORDER BY at, id LIMIT $2

-- name: seal
-- why: place and link of each row, at once
UPDATE audit a SET position = x.position, link = x.link
FROM unnest($2::timestamptz[], $3::bigint[], $4::bigint[], $5::bytea[]) x (at, id, position, link)
WHERE a.team_id = $1 AND a.at = x.at AND a.id = x.id

-- name: move_head
-- why: where the chain stands
UPDATE audit_head SET position = $2, link = $3 WHERE team_id = $1

-- name: head
-- why: where the chain stands, and where what is kept of it begins
SELECT position, link, from_position, from_link FROM audit_head WHERE team_id = $1

-- name: walk
-- why: verification recomputes every link in order
SELECT position, link, at, id, operation, actor, role, device, query, ids, recipient, detail FROM audit
WHERE team_id = $1 AND position > $2 ORDER BY position LIMIT $3

-- name: oldest_unsealed
-- why: a tail that nobody seals is a fault
SELECT count(*) AS n, coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float AS seconds
FROM audit WHERE team_id = $1 AND link IS NULL

-- name: add_month
-- why: the partition of a month to come
SELECT add_audit_month((date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => $1))::date)
