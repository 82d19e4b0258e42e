-- name: action
-- why: what may need somebody to act: recent incidents with something raised, and whatever detention has no end yet,
-- which come first on whatever page
WITH due AS (
    SELECT id FROM incident
    WHERE team_id = :team_id AND NOT blind AND root = id AND flags && '{clock_running,clock_unknown}'
    UNION
    SELECT id FROM incident
    WHERE team_id = :team_id AND occurred_at >= :since AND root = id
      AND (status IN ('open', 'awaiting_outcome') OR duplicates <> '{}'
           OR EXISTS (SELECT FROM unnest(flags) f WHERE f = ANY (:raised::text[]) OR f LIKE 'conflict:%'))
)
SELECT i.root, i.blind, i.seq, i.occurred_at, count(*) OVER () AS total FROM due JOIN incident i ON i.team_id = :team_id AND i.id = due.id
WHERE is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now) AND i.root = i.id AND NOT i.test
  AND (:lead OR NOT i.restricted)
ORDER BY i.flags && '{clock_running,clock_unknown}' DESC, i.occurred_at DESC, i.id DESC LIMIT :most OFFSET :start

-- name: unlinked
-- why: what may belong to another incident: no contact is in force, or an entry names one that has not arrived
WITH matching AS (
    SELECT i.root, i.blind, i.seq, i.occurred_at FROM incident i
    WHERE i.team_id = :team_id AND is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now)
      AND i.root = i.id AND NOT i.test AND i.status <> 'withdrawn' AND (:lead OR NOT i.restricted)
      AND i.occurred_at >= :since
      AND (NOT i.contact
           OR 'target_not_held' = ANY (i.flags)
              AND CASE :audience WHEN 'police' THEN 'target_not_held:unseen_by_police'
                                 ELSE 'target_not_held:unseen_by_health' END <> ALL (i.flags))
)
SELECT m.root, m.blind, m.seq, m.occurred_at, (SELECT count(*) FROM matching) AS total FROM matching m
WHERE :after_at::timestamptz IS NULL OR (m.occurred_at, m.root) < (:after_at, :after_id)
ORDER BY m.occurred_at DESC, m.root DESC LIMIT :most

-- name: without_person
-- why: incidents that count and of which nobody has said whom they concern, so that repeat contact does not see them
WITH matching AS (
    SELECT i.root, i.blind, i.seq, i.occurred_at FROM incident i
    JOIN incident w ON w.team_id = i.team_id AND w.id = i.id AND NOT w.blind
    WHERE i.team_id = :team_id AND is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now)
      AND i.root = i.id AND i.counts AND i.status <> 'withdrawn' AND (:lead OR NOT i.restricted)
      AND i.occurred_at >= :since AND w.people = '{}'
)
SELECT m.root, m.blind, m.seq, m.occurred_at, (SELECT count(*) FROM matching) AS total FROM matching m
WHERE :after_at::timestamptz IS NULL OR (m.occurred_at, m.root) < (:after_at, :after_id)
ORDER BY m.occurred_at DESC, m.root DESC LIMIT :most

-- name: pairs
-- why: what the machine takes for one incident written down twice, each pair once, where the actor may see both
WITH readable AS (
    SELECT i.id, i.occurred_at, i.duplicates FROM incident i
    WHERE i.team_id = :team_id AND is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now)
      AND i.root = i.id AND NOT i.test AND (:lead OR NOT i.restricted) AND i.duplicates <> '{}'
), matching AS (
    SELECT i.id AS first_id, o.id AS second_id, i.occurred_at FROM readable i
    CROSS JOIN LATERAL unnest(i.duplicates) d
    JOIN readable o ON o.id = d
    WHERE i.id < o.id AND i.occurred_at >= :since
)
SELECT m.first_id, m.second_id, m.occurred_at, (SELECT count(*) FROM matching) AS total FROM matching m
WHERE :after_at::timestamptz IS NULL OR (m.occurred_at, m.first_id, m.second_id) < (:after_at, :after_first, :after_second)
ORDER BY m.occurred_at DESC, m.first_id DESC, m.second_id DESC LIMIT :most

-- name: count_quarantined
-- why: how much waits for the lead of a side
SELECT count(*) FROM quarantine WHERE team_id = :team_id AND side = :side AND settled IS NULL

-- name: body
-- why: an amendment keeps what its author may not see of the entry
SELECT body FROM entry WHERE team_id = :team_id AND id = :id
