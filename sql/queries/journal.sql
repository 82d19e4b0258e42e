-- name: lock
-- why: one writer at a time, so that lines are numbered in the order in which they are committed
SELECT pg_advisory_xact_lock(hashtext('triage/journal'))::text AS locked

-- name: add
-- why: lines in the order given; a row of what was published is kept once
INSERT INTO keystore.journal (team_id, kind, name, line)
SELECT x.team_id, x.kind, x.name, x.line::jsonb
FROM unnest(:team_ids::uuid[], :kinds::text[], :names::bytea[], :lines::text[]) WITH ORDINALITY x (team_id, kind, name, line, n)
ORDER BY x.n
ON CONFLICT (name) DO NOTHING

-- name: page
-- why: the next lines, of these kinds or of all
SELECT n, kind, line::text AS line FROM keystore.journal
WHERE n > :after AND (:kinds::text[] IS NULL OR kind = ANY (:kinds)) ORDER BY n LIMIT :most

-- name: known
-- why: which rows of what was published are kept already
SELECT name FROM keystore.journal WHERE name = ANY (:names::bytea[])

-- name: mark
-- why: the number and digest of the last line up to a number
SELECT n, sha256(convert_to(line::text, 'UTF8')) AS digest FROM keystore.journal WHERE n <= :until ORDER BY n DESC LIMIT 1

-- name: put_back
-- why: a line of the exported file, under its number, where the key store itself was restored
INSERT INTO keystore.journal (n, team_id, kind, name, line)
VALUES (:n, :team_id, :kind, :name, :line::jsonb) ON CONFLICT DO NOTHING

-- name: count_on
-- why: the next line gets the number after the last one put back
SELECT setval(pg_get_serial_sequence('keystore.journal', 'n'), (SELECT max(n) FROM keystore.journal)) AS n

-- name: export
-- why: lines as the exported file holds them
SELECT n, team_id, kind, encode(name, 'hex') AS name, line::text AS line FROM keystore.journal
WHERE n > :after ORDER BY n LIMIT :most

-- name: claim_installation
-- why: the first migration says whose key store this is; from then on it is that installation's
WITH claimed AS (
    INSERT INTO keystore.installation (id) VALUES (:id) ON CONFLICT DO NOTHING RETURNING id
)
SELECT id FROM claimed UNION ALL SELECT id FROM keystore.installation LIMIT 1

-- name: fingerprint
-- why: which root secret the keys are wrapped under
SELECT fingerprint FROM keystore.root_check

-- name: installation
-- why: whose key store this is
SELECT id FROM keystore.installation

-- name: last_of_chains
-- why: what the journal last said of each of these chains of these teams
SELECT last.n, last.kind, last.line::text AS line
FROM unnest(:team_ids::uuid[]) AS team (id)
CROSS JOIN unnest(:chains::text[]) AS chain (name)
CROSS JOIN LATERAL (
    SELECT n, kind, line FROM keystore.journal
    WHERE team_id = team.id AND line->>'chain' = chain.name AND kind IN ('head', 'rewound') ORDER BY n DESC LIMIT 1
) last

-- name: last_written
-- why: when the journal was last told of anything
SELECT (line ->> 'at')::timestamptz FROM keystore.journal ORDER BY n DESC LIMIT 1

-- name: last_epoch
-- why: the name of the history, whoever gave it
SELECT n, kind, line::text AS line FROM keystore.journal WHERE kind = 'epoch' ORDER BY n DESC LIMIT 1
