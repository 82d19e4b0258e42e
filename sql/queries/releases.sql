-- name: alone
-- why: one process cuts a team's releases at a time; the others wait, and then find them there
SELECT pg_advisory_xact_lock(hashtextextended('release ' || $1::uuid, 0)),
       set_config('idle_in_transaction_session_timeout', '15min', true)

-- name: teams
-- why: releases are due team by team, on the team's calendar
SELECT team_id, zone, day_start_hour, starts_on FROM teams()

-- name: position
-- why: a release is cut at a position in the log, so that cutting it late gives the same release
SELECT coalesce((SELECT seq FROM entry WHERE team_id = $1 AND received_at < $2 ORDER BY seq DESC LIMIT 1), 0)

-- name: log_link
-- why: a protected summary anchors the log as every summary does, without showing it
SELECT coalesce((SELECT link FROM entry WHERE team_id = $1 AND seq = $2), decode(repeat('00', 32), 'hex'))

-- name: cadences
-- why: how often record files are cut is decided once for a financial year
SELECT financial_year, cadence FROM release_cadence WHERE team_id = $1

-- name: volume
-- why: the cadence follows from how many incidents there are
SELECT count(*) FROM incident
WHERE team_id = $1 AND NOT blind AND root = id AND NOT test AND occurred_at >= $2 AND occurred_at < $3

-- name: decide_cadence
-- why: never two cadences at once, whatever the volume becomes
INSERT INTO release_cadence (team_id, financial_year, cadence, decided_at) VALUES ($1, $2, $3, $4)

-- name: released
-- why: what was released is not released again
SELECT DISTINCT ON (dataset, period) dataset, period, edition, policy, cut_off, released_at, withdrawn_at IS NOT NULL AS withdrawn
FROM release WHERE team_id = $1 ORDER BY dataset, period, edition DESC

-- name: looked
-- why: published tables are looked at again once for each monthly cut-off
SELECT period, looked_at FROM release_looked WHERE team_id = $1

-- name: note_looked
-- why: as above
INSERT INTO release_looked (team_id, period, looked_at) VALUES ($1, $2, $3)
ON CONFLICT (team_id, period) DO UPDATE SET looked_at = excluded.looked_at

-- name: candidates
-- why: incidents that may have stood in a stretch of time at a position: those there now, and those changed since
SELECT i.id, i.seq > $4 AS changed, i.related FROM incident i
WHERE i.team_id = $1 AND NOT i.blind AND i.root = i.id
  AND (i.occurred_at >= $2 AND i.occurred_at < $3 OR i.seq > $4)
  AND ($5::text IS NULL OR NOT EXISTS (
      SELECT FROM release_row x JOIN release r USING (team_id, release_id)
      WHERE x.team_id = i.team_id AND x.incident_id = i.id AND (r.withdrawn_at IS NULL OR x.policy = $5)))
ORDER BY i.id

-- name: links_until
-- why: who counts as one person follows from every link there ever was, and from what joins incidents
SELECT s.* FROM entry e JOIN stored_entry s ON s.team_id = e.team_id AND s.seq = e.seq
WHERE e.team_id = $1 AND e.seq <= $2
  AND e.kind IN ('person_link', 'same_incident', 'not_same_incident', 'withdrawal')

-- name: registered
-- why: an id that nobody registered is nobody's; one that is belongs to a person known by some kinds of identifier
SELECT person_id AS linked, person_id, array_agg(DISTINCT kind) AS kinds FROM person_identifier
WHERE team_id = $1 GROUP BY person_id

-- name: entries_until
-- why: what the log held of these incidents at a position, the absorbed ones included
WITH member AS (
    SELECT x AS id FROM unnest($2::uuid[]) x
    UNION
    SELECT i.id FROM incident i WHERE i.team_id = $1 AND i.root = ANY ($2::uuid[]) AND i.root <> i.id AND NOT i.blind
)
SELECT e.*
FROM member m JOIN stored_entry e ON e.team_id = $1 AND e.incident_id = m.id AND e.seq <= $3

-- name: after
-- why: what came later tells nothing about a release
SELECT id FROM entry WHERE team_id = $1 AND id = ANY ($2::uuid[]) AND seq > $3

-- name: decided
-- why: an incident is released exactly once, or withheld for good, though the release be withdrawn; only under another
-- policy is a withdrawn one cut again
SELECT x.incident_id FROM release_row x JOIN release r USING (team_id, release_id)
WHERE x.team_id = $1 AND x.incident_id = ANY ($2::uuid[]) AND (r.withdrawn_at IS NULL OR x.policy = $3)

-- name: add_release
-- why: a release, once and for all
INSERT INTO release (team_id, release_id, dataset, period, edition, policy, first_day, cut_off, released_at, as_at_seq,
                     sha256, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: add_rows
-- why: the frozen rows of a record file, and every incident it decided
INSERT INTO release_row (team_id, release_id, policy, incident_id, person_id, known_by, number, grouped, classes)
SELECT $1, $2, $3, * FROM unnest($4::uuid[], $5::uuid[], $6::int[], $7::int[], $8::int[], $9::text[])

-- name: rows
-- why: frozen rows, to render an agreement signed later and to verify
SELECT number, grouped, incident_id, person_id, known_by, classes FROM release_row
WHERE team_id = $1 AND release_id = $2 AND number IS NOT NULL ORDER BY number

-- name: editions
-- why: every published edition of a kind of tables since a day, with its members
SELECT body, cut_off FROM release
WHERE team_id = $1 AND dataset = 'tables' AND period = $2 AND withdrawn_at IS NULL ORDER BY edition

-- name: first_editions
-- why: what may be published of a period was decided by the cuts of the year before
SELECT DISTINCT ON (period) period, body FROM release
WHERE team_id = $1 AND dataset = 'tables' AND period = ANY ($2::text[]) AND withdrawn_at IS NULL ORDER BY period, edition

-- name: standing
-- why: releases that an agreement signed now gets too
SELECT release_id, dataset, period, edition, cut_off, released_at, body FROM release
WHERE team_id = $1 AND dataset = ANY ($2::text[]) AND withdrawn_at IS NULL ORDER BY cut_off, period, edition

-- name: everything
-- why: verifying looks at every release, the withdrawn ones too
SELECT release_id, dataset, period, edition, cut_off, released_at, sha256, body FROM release
WHERE team_id = $1 ORDER BY cut_off, period, edition

-- name: agreements_for
-- why: whom a new release is rendered for
SELECT a.agreement_id, a.partner_id, p.body, a.datasets, a.columns, a.areas, a.purpose
FROM agreement a JOIN partner p USING (team_id, partner_id)
WHERE a.team_id = $1 AND $2 = ANY (a.datasets) AND a.revoked_at IS NULL AND p.revoked_at IS NULL AND a.expires_at > $3
ORDER BY a.agreement_id

-- name: add_rendering
-- why: a release as one agreement gets it
INSERT INTO rendering (team_id, release_id, agreement_id, manifest, rendered_at) VALUES ($1, $2, $3, $4, $5)

-- name: add_file
-- why: as above
INSERT INTO rendered_file (team_id, release_id, agreement_id, name, media_type, bytes, sha256, rows)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: add_chunk
-- why: as above
INSERT INTO rendered_chunk (team_id, release_id, agreement_id, name, n, body) VALUES ($1, $2, $3, $4, $5, $6)

-- name: renderings
-- why: verifying compares the files with what was stated of them
SELECT r.release_id, r.agreement_id, r.manifest, a.partner_id, p.body, a.columns, a.areas
FROM rendering r JOIN agreement a USING (team_id, agreement_id) JOIN partner p USING (team_id, partner_id)
WHERE r.team_id = $1 AND r.release_id = $2 ORDER BY r.agreement_id

-- name: files
-- why: as above
SELECT name, bytes, sha256 FROM rendered_file WHERE team_id = $1 AND release_id = $2 AND agreement_id = $3 ORDER BY name

-- name: chunk
-- why: serving holds one piece of a file at a time
SELECT body FROM rendered_chunk WHERE team_id = $1 AND release_id = $2 AND agreement_id = $3 AND name = $4 AND n = $5

-- name: withdraw
-- why: a release that must go goes as a whole; only the owner of the database may
UPDATE release SET withdrawn_at = $5, withdrawn_because = $6
WHERE team_id = $1 AND dataset = $2 AND period = $3 AND edition = $4 AND withdrawn_at IS NULL RETURNING release_id

-- name: record_run
-- why: the protected form of a summary is published with the tables it is made of
INSERT INTO summary_run (team_id, kind, period, form, first_day, starts_at, ends_at, due_at, state, ran_at, checked_seq)
VALUES ($1, $2, $3, 'protected', $4, $5, $6, $7, 'published', $8, $9)
ON CONFLICT (team_id, kind, period, form) DO UPDATE SET ran_at = excluded.ran_at, checked_seq = excluded.checked_seq

-- name: add_summary
-- why: as above
INSERT INTO summary_edition (team_id, kind, period, form, edition, published_at, as_at, as_at_seq, chain_head, body)
VALUES ($1, $2, $3, 'protected', $4, $5, $6, $7, $8, $9)
