-- name: action
-- why: what may need somebody to act: recent incidents with something raised, and whatever detention has no end yet
WITH due AS (
    SELECT id FROM incident WHERE team_id = $1 AND NOT blind AND root = id AND status = 'awaiting_outcome'
    UNION
    SELECT id FROM incident
    WHERE team_id = $1 AND occurred_at >= $4 AND root = id
      AND (status = 'open' OR duplicates <> '{}'
           OR EXISTS (SELECT FROM unnest(flags) f WHERE f = ANY ($5::text[]) OR f LIKE 'conflict:%'))
)
SELECT i.id, i.root, i.blind, i.seq FROM due JOIN incident i ON i.team_id = $1 AND i.id = due.id
WHERE shown(i.blind, i.judged_by, $2, $3) AND i.root = i.id AND NOT i.test
ORDER BY i.occurred_at DESC, i.id DESC LIMIT $6

-- name: alone
-- why: what may belong to another incident: no contact is in force, or an entry names one that has not arrived
SELECT i.id, i.root, i.blind, i.seq, count(*) OVER () AS n FROM incident i
WHERE i.team_id = $1 AND shown(i.blind, i.judged_by, $2, $3) AND i.root = i.id AND NOT i.test AND i.status <> 'withdrawn'
  AND i.occurred_at >= $4 AND (NOT i.contact OR 'target_not_held' = ANY (i.flags))
ORDER BY i.occurred_at DESC, i.id DESC LIMIT $5

-- name: of_nobody
-- why: incidents of which nobody has said whom they concern, so that repeat contact does not see them
SELECT i.id, i.root, i.blind, i.seq, count(*) OVER () AS n FROM incident i
JOIN incident w ON w.team_id = i.team_id AND w.id = i.id AND NOT w.blind
WHERE i.team_id = $1 AND shown(i.blind, i.judged_by, $2, $3) AND i.root = i.id AND NOT i.test AND i.status <> 'withdrawn'
  AND i.occurred_at >= $4 AND w.people = '{}'
ORDER BY i.occurred_at DESC, i.id DESC LIMIT $5

-- name: pairs
-- why: what the machine takes for one incident written down twice, each pair once
SELECT i.root AS one, o.root AS other FROM incident i
CROSS JOIN LATERAL unnest(i.duplicates) d
JOIN incident o ON o.team_id = i.team_id AND o.id = d AND NOT o.blind
WHERE i.team_id = $1 AND NOT i.blind AND i.root = i.id AND NOT i.test AND i.id < d AND i.occurred_at >= $2
ORDER BY i.occurred_at DESC, i.id DESC, d LIMIT $3

-- name: rows
-- why: the rows under which an actor sees these incidents
SELECT i.id, i.root, i.blind, i.seq FROM incident i
WHERE i.team_id = $1 AND shown(i.blind, i.judged_by, $2, $3) AND i.root = i.id AND i.id = ANY ($4::uuid[])

-- name: count_quarantined
-- why: how much waits for the lead of a side
SELECT count(*) FROM quarantine WHERE team_id = $1 AND side = $2 AND settled IS NULL

-- name: body
-- why: an amendment keeps what its author may not see of the entry
SELECT body FROM entry WHERE team_id = $1 AND id = $2
