-- name: list_releases
-- why: every edition of everything that was rendered for a partner's agreements, the latest first; withdrawn ones are gone
SELECT r.dataset, r.period, r.edition, r.released_at
FROM rendering g JOIN release r USING (team_id, release_id)
WHERE g.team_id = $1 AND g.agreement_id = ANY ($2::uuid[]) AND r.withdrawn_at IS NULL
ORDER BY r.first_day DESC, r.dataset, r.period, r.edition DESC

-- name: manifest
-- why: one release as an agreement gets it, the latest edition where none is named
SELECT r.release_id, r.edition, g.manifest
FROM release r JOIN rendering g USING (team_id, release_id)
WHERE r.team_id = $1 AND g.agreement_id = $2 AND r.dataset = $3 AND r.period = $4 AND ($5::int IS NULL OR r.edition = $5)
  AND r.withdrawn_at IS NULL
ORDER BY r.edition DESC LIMIT 1

-- name: file
-- why: what is known of a file before its first byte is read
SELECT media_type, bytes, sha256, rows FROM rendered_file
WHERE team_id = $1 AND release_id = $2 AND agreement_id = $3 AND name = $4

-- name: open_ledger
-- why: a team's ledger begins with its first pull
INSERT INTO ledger_head (team_id) VALUES ($1) ON CONFLICT DO NOTHING

-- name: ledger_head
-- why: pulls follow one another: the head's row lock puts them in a line
SELECT n, link, greatest(clock_timestamp(), at + interval '1 microsecond') AS at FROM ledger_head WHERE team_id = $1 FOR UPDATE

-- name: move_ledger_head
-- why: as above
UPDATE ledger_head SET n = $2, at = $3, link = $4 WHERE team_id = $1

-- name: add_pull
-- why: a download is on the ledger before its first byte leaves
INSERT INTO ledger (team_id, n, at, partner_id, agreement_id, purpose, dataset, period, edition, file, columns, areas,
                    part, rows, sha256, link)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- name: pulls
-- why: a partner reads its own pulls, the auditor everybody's, newest first
SELECT n, at, partner_id, agreement_id, purpose, dataset, period, edition, file, columns, areas, part, rows, sha256, link
FROM ledger
WHERE team_id = $1 AND ($2::uuid IS NULL OR partner_id = $2) AND ($3::timestamptz IS NULL OR at < $3)
ORDER BY at DESC LIMIT $4

-- name: walk_ledger
-- why: verifying recomputes every link
SELECT n, at, partner_id, agreement_id, purpose, dataset, period, edition, file, columns, areas, part, rows, sha256, link
FROM ledger WHERE team_id = $1 AND n > $2 ORDER BY n LIMIT $3

-- name: ledger_ends
-- why: a line cut off the end shows by the head, which moves with every pull
SELECT n, link FROM ledger_head WHERE team_id = $1
