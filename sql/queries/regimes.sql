-- name: group_of
-- why: every id that the incident answers to
SELECT o.id FROM incident i JOIN incident o ON o.team_id = i.team_id AND o.root = i.root AND NOT o.blind
WHERE i.team_id = :team_id AND i.id = :incident_id AND NOT i.blind

-- name: latest
-- why: what was last said of each id
SELECT DISTINCT ON (incident_id) incident_id, regime FROM incident_regime
WHERE team_id = :team_id AND incident_id = ANY (:incidents::uuid[]) ORDER BY incident_id, at DESC

-- name: add
-- why: a change never overwrites what was said before
INSERT INTO incident_regime (team_id, incident_id, regime, reason, by, at)
SELECT :team_id, x, :regime, :reason, :by, :at FROM unnest(:incident_ids::uuid[]) x ON CONFLICT DO NOTHING
