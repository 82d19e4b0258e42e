-- name: entries
-- why: the links of anchored positions of the log
SELECT seq AS position, link FROM entry WHERE team_id = $1 AND seq = ANY ($2::bigint[])

-- name: audit
-- why: the links of anchored positions of the audit
SELECT position, link FROM audit WHERE team_id = $1 AND position = ANY ($2::bigint[])

-- name: pulls
-- why: the links of anchored lines of the ledger
SELECT n AS position, link FROM ledger WHERE team_id = $1 AND n = ANY ($2::bigint[])

-- name: ends
-- why: where the chains of a restored backup end
SELECT 'entries' AS chain, coalesce((SELECT seq FROM log_head WHERE team_id = $1), 0) AS position
UNION ALL
SELECT 'audit', coalesce((SELECT position FROM audit_head WHERE team_id = $1), 0)
UNION ALL
SELECT 'pulls', coalesce((SELECT n FROM ledger_head WHERE team_id = $1), 0)
