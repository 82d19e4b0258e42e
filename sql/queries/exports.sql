-- name: list_releases
-- why: every edition of everything that was rendered for a partner's agreements, the latest first; withdrawn ones are gone
SELECT r.dataset, r.period, r.edition, r.released_at
FROM rendering g JOIN release r USING (team_id, release_id)
WHERE g.team_id = :team_id AND g.agreement_id = ANY (:agreements::uuid[]) AND r.withdrawn_at IS NULL
ORDER BY r.first_day DESC, r.dataset, r.period, r.edition DESC

-- name: manifest
-- why: one release as an agreement gets it, the latest edition where none is named
SELECT r.release_id, r.edition, g.manifest
FROM release r JOIN rendering g USING (team_id, release_id)
WHERE r.team_id = :team_id AND g.agreement_id = :agreement_id AND r.dataset = :dataset AND r.period = :period
  AND (:edition::int IS NULL OR r.edition = :edition)
  AND r.withdrawn_at IS NULL
ORDER BY r.edition DESC LIMIT 1

-- name: file
-- why: what is known of a file before its first byte is read
SELECT name, media_type, bytes AS size, encode(sha256, 'hex') AS sha256, rows FROM rendered_file
WHERE team_id = :team_id AND release_id = :release_id AND agreement_id = :agreement_id AND name = :name

-- name: open_ledger
-- why: a team's ledger begins with its first pull
INSERT INTO ledger_head (team_id) VALUES (:team_id) ON CONFLICT DO NOTHING

-- name: ledger_head
-- why: pulls follow one another: the head's row lock puts them in a line
SELECT n, link, greatest(clock_timestamp(), at + interval '1 microsecond') AS at
FROM ledger_head WHERE team_id = :team_id FOR UPDATE

-- name: move_ledger_head
-- why: as above
UPDATE ledger_head SET n = :n, at = :at, link = :link WHERE team_id = :team_id

-- name: add_pull
-- why: a download is on the ledger before its first byte leaves
INSERT INTO ledger (team_id, n, at, partner_id, agreement_id, purpose, dataset, period, edition, file, columns, areas,
                    part, rows, sha256, link)
VALUES (:team_id, :n, :at, :partner_id, :agreement_id, :purpose, :dataset, :period, :edition, :file, :columns,
        :areas, :part, :rows, :sha256, :link)

-- name: pulls
-- why: a partner reads its own pulls, the auditor everybody's, newest first
SELECT at, partner_id, agreement_id, purpose, dataset, period, edition, file, columns, areas, part, rows,
       encode(sha256, 'hex') AS sha256
FROM ledger
WHERE team_id = :team_id AND (:partner_id::uuid IS NULL OR partner_id = :partner_id)
  AND (:before::timestamptz IS NULL OR at < :before)
ORDER BY at DESC LIMIT :most

-- name: walk_ledger
-- why: verifying recomputes every link
SELECT at, partner_id, agreement_id, purpose, dataset, period, edition, file, columns, areas, part, rows,
       encode(sha256, 'hex') AS sha256, n, link
FROM ledger WHERE team_id = :team_id AND n > :after ORDER BY n LIMIT :most

-- name: ledger_ends
-- why: a line cut off the end shows by the head, which moves with every pull
SELECT n AS position, link FROM ledger_head WHERE team_id = :team_id
