-- name: find
-- why: a report that was made once is served as it was made
SELECT body FROM report_file
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = :form AND edition = :edition
  AND (:sha256::bytea IS NULL OR sha256 = :sha256)

-- name: digest
-- why: whether a report is made, and which bytes are it, without reading them
SELECT sha256 FROM report_file
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = :form AND edition = :edition

-- name: add
-- why: of two processes that make the same report at once, the first one's stays
INSERT INTO report_file (team_id, kind, period, form, edition, sha256, body)
VALUES (:team_id, :kind, :period, :form, :edition, :sha256, :body) ON CONFLICT DO NOTHING

-- name: latest_until
-- why: the run charts of a report: the latest editions of the periods of a kind that end with it, newest first
SELECT DISTINCT ON (r.first_day) r.period, e.body FROM summary_run r
LEFT JOIN summary_edition e USING (team_id, kind, period, form)
WHERE r.team_id = :team_id AND r.kind = :kind AND r.form = 'internal' AND r.starts_at >= :since AND r.ends_at <= :until
ORDER BY r.first_day DESC, e.edition DESC NULLS LAST LIMIT :most

-- name: without_file
-- why: an edition has its report from its publication on, or from when reports could be made here
SELECT e.kind, e.period, e.form, e.body FROM summary_edition e
WHERE e.team_id = :team_id AND e.kind = ANY (:kinds::text[])
  AND NOT EXISTS (SELECT FROM report_file f WHERE f.team_id = e.team_id AND f.kind = e.kind AND f.period = e.period
                  AND f.form = e.form AND f.edition = e.edition)
ORDER BY e.published_at DESC, e.kind, e.period, e.form, e.edition DESC LIMIT :most
