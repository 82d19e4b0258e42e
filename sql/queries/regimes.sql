-- name: group_of
-- why: every id that the incident answers to
SELECT o.id FROM incident i JOIN incident o ON o.team_id = i.team_id AND o.root = i.root AND NOT o.blind
WHERE i.team_id = $1 AND i.id = $2 AND NOT i.blind

-- name: latest
-- why: what was last said of each id
SELECT DISTINCT ON (incident_id) incident_id, regime FROM incident_regime
WHERE team_id = $1 AND incident_id = ANY ($2::uuid[]) ORDER BY incident_id, at DESC

-- name: add
-- why: a change never overwrites what was said before
INSERT INTO incident_regime (team_id, incident_id, regime, reason, by, at)
SELECT $1, x, $3, $4, $5, $6 FROM unnest($2::uuid[]) x ON CONFLICT DO NOTHING
