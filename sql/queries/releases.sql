-- name: alone
-- why: one process cuts a team's releases at a time; the others wait, and then find them there
SELECT pg_advisory_xact_lock(hashtextextended('release ' || :team_id::uuid, 0)),
       set_config('idle_in_transaction_session_timeout', '15min', true)

-- name: position
-- why: a release is cut at a position in the log, so that cutting it late gives the same release
SELECT coalesce((SELECT seq FROM entry WHERE team_id = :team_id AND received_at < :cut_off ORDER BY seq DESC LIMIT 1),
                0) AS seq

-- name: log_link
-- why: a protected summary anchors the log as every summary does, without showing it
SELECT coalesce((SELECT link FROM entry WHERE team_id = :team_id AND seq = :seq),
                decode(repeat('00', 32), 'hex')) AS link

-- name: cadences
-- why: how often record files are cut is decided once for a financial year
SELECT financial_year, cadence FROM release_cadence WHERE team_id = :team_id

-- name: volume
-- why: the cadence follows from how many incidents there are
SELECT count(*) FROM incident
WHERE team_id = :team_id AND NOT blind AND root = id AND NOT test
  AND occurred_at >= :starts_at AND occurred_at < :ends_at

-- name: decide_cadence
-- why: never two cadences at once, whatever the volume becomes
INSERT INTO release_cadence (team_id, financial_year, cadence, decided_at)
VALUES (:team_id, :financial_year, :cadence, :now)

-- name: released
-- why: what was released is not released again
SELECT DISTINCT ON (dataset, period) dataset, period, edition, policy, cut_off, withdrawn_at IS NOT NULL AS withdrawn
FROM release WHERE team_id = :team_id ORDER BY dataset, period, edition DESC

-- name: looked
-- why: published tables are looked at again once for each monthly cut-off
SELECT period, looked_at FROM release_looked WHERE team_id = :team_id

-- name: note_looked
-- why: as above
INSERT INTO release_looked (team_id, period, looked_at) VALUES (:team_id, :period, :now)
ON CONFLICT (team_id, period) DO UPDATE SET looked_at = excluded.looked_at

-- name: candidates
-- why: incidents that may have stood in a stretch of time at a position: those there now, and those changed since
SELECT i.id, i.seq > :seq AS changed, i.related FROM incident i
WHERE i.team_id = :team_id AND NOT i.blind AND i.root = i.id
  AND (i.occurred_at >= :starts_at AND i.occurred_at < :ends_at OR i.seq > :seq)
  AND (:undecided::text IS NULL OR NOT EXISTS (
      SELECT FROM release_row x JOIN release r USING (team_id, release_id)
      WHERE x.team_id = i.team_id AND x.incident_id = i.id AND (r.withdrawn_at IS NULL OR x.policy = :undecided)))
ORDER BY i.id

-- name: links_until
-- why: who counts as one person follows from every link there ever was, and from what joins incidents
SELECT s.* FROM entry e JOIN stored_entry s ON s.team_id = e.team_id AND s.seq = e.seq
WHERE e.team_id = :team_id AND e.seq <= :seq AND e.kind IN ('person_link', 'same_incident')

-- name: registered
-- why: an id that nobody registered is nobody's; one that is belongs to a person known by some kinds of identifier
SELECT person_id, array_agg(DISTINCT kind) AS kinds FROM person_identifier
WHERE team_id = :team_id GROUP BY person_id

-- name: entries_until
-- why: what the log held of these incidents at a position, the absorbed ones included
WITH member AS (
    SELECT x AS id FROM unnest(:roots::uuid[]) x
    UNION
    SELECT i.id FROM incident i WHERE i.team_id = :team_id AND i.root = ANY (:roots::uuid[]) AND i.root <> i.id
      AND NOT i.blind
)
SELECT e.*
FROM member m JOIN stored_entry e ON e.team_id = :team_id AND e.incident_id = m.id AND e.seq <= :seq

-- name: after
-- why: what came later tells nothing about a release
SELECT id FROM entry WHERE team_id = :team_id AND id = ANY (:ids::uuid[]) AND seq > :seq

-- name: decided
-- why: an incident is released exactly once, or withheld for good, though the release be withdrawn; only under another
-- policy is a withdrawn one cut again
SELECT x.incident_id FROM release_row x JOIN release r USING (team_id, release_id)
WHERE x.team_id = :team_id AND x.incident_id = ANY (:incidents::uuid[])
  AND (r.withdrawn_at IS NULL OR x.policy = :policy)

-- name: add_release
-- why: a release, once and for all
INSERT INTO release (team_id, release_id, dataset, period, edition, policy, first_day, cut_off, released_at,
                     as_at_seq, sha256, body)
VALUES (:team_id, :release_id, :dataset, :period, :edition, :policy, :first_day, :cut_off, :released_at, :as_at_seq,
        :sha256, :body)

-- name: add_rows
-- why: the frozen rows of a record file, and every incident it decided
INSERT INTO release_row (team_id, release_id, policy, incident_id, person_id, known_by, number, grouped, classes)
SELECT :team_id, :release_id, :policy, *
FROM unnest(:incidents::uuid[], :people::uuid[], :known_by::int[], :numbers::int[], :groups::int[], :classes::text[])

-- name: rows
-- why: frozen rows, to render an agreement signed later and to verify
SELECT number, grouped, incident_id, person_id, known_by, classes FROM release_row
WHERE team_id = :team_id AND release_id = :release_id AND number IS NOT NULL ORDER BY number

-- name: editions
-- why: every published edition of a kind of tables since a day, with its members
SELECT body FROM release
WHERE team_id = :team_id AND dataset = 'tables' AND period = :period AND withdrawn_at IS NULL ORDER BY edition

-- name: first_editions
-- why: what may be published of a period was decided by the cuts of the year before
SELECT DISTINCT ON (period) body FROM release
WHERE team_id = :team_id AND dataset = 'tables' AND period = ANY (:periods::text[]) AND withdrawn_at IS NULL
ORDER BY period, edition

-- name: standing
-- why: releases that an agreement signed now gets too
SELECT release_id, dataset, period, edition, cut_off, released_at, sha256, body FROM release
WHERE team_id = :team_id AND dataset = ANY (:datasets::text[]) AND withdrawn_at IS NULL
ORDER BY cut_off, period, edition

-- name: everything
-- why: verifying looks at every release, the withdrawn ones too
SELECT release_id, dataset, period, edition, cut_off, released_at, sha256, body FROM release
WHERE team_id = :team_id ORDER BY cut_off, period, edition

-- name: agreements_for
-- why: whom a new release is rendered for
SELECT a.agreement_id, a.partner_id, p.body, a.columns, a.areas, a.purpose
FROM agreement a JOIN partner p USING (team_id, partner_id)
WHERE a.team_id = :team_id AND :dataset = ANY (a.datasets) AND a.revoked_at IS NULL AND p.revoked_at IS NULL
  AND a.expires_at > :now
ORDER BY a.agreement_id

-- name: add_rendering
-- why: a release as one agreement gets it
INSERT INTO rendering (team_id, release_id, agreement_id, manifest, rendered_at)
VALUES (:team_id, :release_id, :agreement_id, :manifest, :rendered_at)

-- name: add_file
-- why: as above
INSERT INTO rendered_file (team_id, release_id, agreement_id, name, media_type, bytes, sha256, rows)
VALUES (:team_id, :release_id, :agreement_id, :name, :media_type, :size, :sha256, :rows)

-- name: add_chunk
-- why: as above
INSERT INTO rendered_chunk (team_id, release_id, agreement_id, name, n, body)
VALUES (:team_id, :release_id, :agreement_id, :name, :n, :body)

-- name: renderings
-- why: verifying compares the files with what was stated of them
SELECT r.release_id, r.agreement_id, r.manifest, a.partner_id, p.body, a.columns, a.areas
FROM rendering r JOIN agreement a USING (team_id, agreement_id) JOIN partner p USING (team_id, partner_id)
WHERE r.team_id = :team_id AND r.release_id = :release_id ORDER BY r.agreement_id

-- name: files
-- why: as above
SELECT name, sha256 FROM rendered_file
WHERE team_id = :team_id AND release_id = :release_id AND agreement_id = :agreement_id ORDER BY name

-- name: chunk
-- why: serving holds one piece of a file at a time
SELECT body FROM rendered_chunk
WHERE team_id = :team_id AND release_id = :release_id AND agreement_id = :agreement_id AND name = :name AND n = :n

-- name: withdraw
-- why: a release that must go goes as a whole; only the owner of the database may
UPDATE release SET withdrawn_at = :now, withdrawn_because = :because
WHERE team_id = :team_id AND dataset = :dataset AND period = :period AND edition = :edition AND withdrawn_at IS NULL
RETURNING release_id
