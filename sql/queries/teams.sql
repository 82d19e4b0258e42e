-- name: list
-- why: jobs and commands work for each team in turn
SELECT team_id FROM teams()

-- name: find
-- why: phones and messages name the team, and its calendar decides what belongs to which day
SELECT team_id, name, zone, day_start_hour, starts_on FROM team WHERE team_id = :team_id

-- name: add
-- why: a team with an empty log
WITH made AS (
    INSERT INTO team (team_id, name, zone, day_start_hour, starts_on, created_at)
    VALUES (:team_id, :name, :zone, :day_start_hour, :starts_on, :created_at)
    ON CONFLICT DO NOTHING RETURNING team_id
)
INSERT INTO log_head (team_id) SELECT team_id FROM made

-- name: made_at
-- why: when a team was made, if it was
SELECT created_at FROM team WHERE team_id = :team_id

-- name: epoch
-- why: phones offer again what they sent since a restore: it begins another history
SELECT epoch FROM installation
