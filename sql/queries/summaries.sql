-- name: schedule
-- why: a team's own due times
SELECT kind, due_at, after_days FROM summary_schedule WHERE team_id = :team_id

-- name: set_schedule
-- why: a team may want its summaries at another time
INSERT INTO summary_schedule (team_id, kind, due_at, after_days) VALUES (:team_id, :kind, :due_at, :after_days)
ON CONFLICT (team_id, kind) DO UPDATE SET due_at = excluded.due_at, after_days = excluded.after_days

-- name: runs
-- why: what was done decides what is left to do; the newest edition decides whether another may follow today
SELECT r.kind, r.period, r.ends_at, r.due_at, r.state, r.ran_at, r.checked_seq, r.checked_rules, e.edition, e.published_at
FROM summary_run r
LEFT JOIN LATERAL (SELECT edition, published_at FROM summary_edition e
                   WHERE e.team_id = r.team_id AND e.kind = r.kind AND e.period = r.period AND e.form = r.form
                   ORDER BY edition DESC LIMIT 1) e ON true
WHERE r.team_id = :team_id AND r.form = 'internal'

-- name: try_claim
-- why: one process works on a period, the others pass on to the next instead of waiting
SELECT pg_try_advisory_xact_lock(hashtextextended(:period, 0))

-- name: published
-- why: whether another process was faster
SELECT count(*) > 0 FROM summary_edition
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = :form

-- name: published_periods
-- why: what is due and not among these is overdue, whether its run failed or nobody ran
SELECT kind, period FROM summary_run WHERE team_id = :team_id AND form = 'internal' AND state = 'published'

-- name: end_of_previous
-- why: periods of a kind tile even where the team's zone or hour of day changed between them
SELECT ends_at FROM summary_run WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = 'internal'

-- name: head
-- why: the position that a summary is cut at
SELECT seq, link FROM log_head WHERE team_id = :team_id

-- name: heard
-- why: no incidents and nobody heard from is not the same as no incidents
SELECT EXISTS (SELECT FROM entry WHERE team_id = :team_id AND received_at >= :starts_at AND received_at < :ends_at)
    OR EXISTS (SELECT FROM device WHERE team_id = :team_id AND last_seen_at >= :starts_at)

-- name: restated
-- why: how many editions replaced another in the period is itself a measure of quality
SELECT count(*) FROM summary_edition
WHERE team_id = :team_id AND form = 'internal' AND edition > 1
  AND published_at >= :starts_at AND published_at < :ends_at

-- name: moved_since
-- why: the incidents that entries since an edition bear on: of its period or people, or moved, joined or parted by them
WITH bearing AS (
    SELECT DISTINCT i.id, i.root, i.family FROM entry e
    JOIN incident i ON i.team_id = e.team_id AND i.id = e.belongs_to AND NOT i.blind
    WHERE e.team_id = :team_id AND e.seq > :seq AND (i.root = ANY (:members::uuid[]) OR e.kind IN (
        'amendment', 'withdrawal', 'same_incident', 'not_same_incident', 'person_link', 'person_unlink'))
    UNION
    SELECT i.id, i.root, i.family FROM incident i
    WHERE i.team_id = :team_id AND i.id = ANY (:members::uuid[]) AND i.seq > :seq AND NOT i.blind
)
SELECT i.id, i.related FROM incident i
WHERE i.team_id = :team_id AND NOT i.blind AND i.status <> 'absorbed' AND i.id IN (
    SELECT root FROM bearing
    UNION
    SELECT o.root FROM bearing b JOIN incident o ON o.team_id = :team_id AND NOT o.blind
        AND o.family = coalesce(b.family, b.id))

-- name: enter_force_total
-- why: a correction is a new version; what was published rests on the one before
INSERT INTO force_total (team_id, kind, period, version, s136, source, entered_at)
SELECT :team_id, :kind, :period, coalesce(max(version), 0) + 1, :s136, :source, :now FROM force_total
WHERE team_id = :team_id AND kind = :kind AND period = :period RETURNING version

-- name: force_totals
-- why: the total as it was known at an instant is the newest of these
SELECT version, s136, source FROM force_total
WHERE team_id = :team_id AND kind = :kind AND period = :period AND entered_at <= :until ORDER BY version

-- name: look_again
-- why: what no entry tells of makes a published period worth another look as well
UPDATE summary_run SET checked_seq = 0
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = 'internal'

-- name: code_lists
-- why: an old edition is computed again under the lists of then
SELECT body FROM code_lists WHERE digest = :digest

-- name: keep_code_lists
-- why: lists are kept before anything is published under them
INSERT INTO code_lists (digest, version, body) VALUES (:digest, :version, :body) ON CONFLICT DO NOTHING

-- name: record_run
-- why: the row that says a period is published
INSERT INTO summary_run (team_id, kind, period, form, first_day, starts_at, ends_at, due_at, state, ran_at,
                         checked_seq, checked_rules)
VALUES (:team_id, :kind, :period, :form, :first_day, :starts_at, :ends_at, :due_at, 'published', :ran_at,
        :checked_seq, :checked_rules)
ON CONFLICT (team_id, kind, period, form) DO UPDATE SET state = 'published', ran_at = excluded.ran_at,
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, due_at = excluded.due_at,
    checked_seq = excluded.checked_seq, checked_rules = excluded.checked_rules

-- name: record_failure
-- why: a failed run is visible, and is tried again; what is published stays published
INSERT INTO summary_run (team_id, kind, period, form, first_day, starts_at, ends_at, due_at, state, ran_at, failures)
VALUES (:team_id, :kind, :period, 'internal', :first_day, :starts_at, :ends_at, :due_at, 'failed', :ran_at, 1)
ON CONFLICT (team_id, kind, period, form) DO UPDATE SET failures = summary_run.failures + 1, ran_at = excluded.ran_at
WHERE summary_run.state = 'failed'

-- name: checked
-- why: later entries up to here change nothing: look no further back
UPDATE summary_run SET checked_seq = :seq, checked_rules = :rules, ran_at = :now
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = :form AND checked_seq <= :seq

-- name: add_edition
-- why: an edition, once and for all
INSERT INTO summary_edition (team_id, kind, period, form, edition, published_at, as_at, as_at_seq, chain_head, body)
VALUES (:team_id, :kind, :period, :form, :edition, :published_at, :as_at, :as_at_seq, :chain_head, :body)

-- name: rows_of
-- why: the journal keeps an edition as it was stored, so that a restored backup does not publish it again
SELECT 'summary_run' AS name, row_to_json(r)::text AS row FROM summary_run r
WHERE r.team_id = :team_id AND r.kind = :kind AND r.period = :period AND r.form = :form
UNION ALL
SELECT 'summary_edition', row_to_json(e)::text FROM summary_edition e
WHERE e.team_id = :team_id AND e.kind = :kind AND e.period = :period AND e.form = :form AND e.edition = :edition

-- name: find_edition
-- why: one edition of a period, the latest where none is named; tables that were withdrawn are so in every form
SELECT kind, form, period, edition, published_at, chain_head FROM summary_edition e
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = :form
  AND (:edition::int IS NULL OR edition = :edition)
  AND (form = 'internal' OR NOT EXISTS (
      SELECT FROM release r WHERE r.team_id = e.team_id AND r.dataset = 'tables' AND r.period = e.period
          AND r.edition = e.edition AND r.withdrawn_at IS NOT NULL))
ORDER BY edition DESC LIMIT 1

-- name: body
-- why: the bytes of an edition, wherever it is the same one: its number alone may be another's in a history that was lost
SELECT body FROM summary_edition
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = :form AND edition = :edition
  AND published_at = :published_at AND chain_head = :chain_head

-- name: editions
-- why: every edition of a period, oldest first
SELECT body FROM summary_edition
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = :form ORDER BY edition

-- name: failed_run
-- why: a period without an edition may have a run that failed
SELECT starts_at, ends_at, due_at FROM summary_run
WHERE team_id = :team_id AND kind = :kind AND period = :period AND form = :form AND state = 'failed'

-- name: list_latest
-- why: one row a kind, period and form, newest period first, with its latest edition
SELECT r.kind, r.form, r.period, r.first_day, r.starts_at, r.ends_at, coalesce(e.edition, 0) AS edition, e.published_at,
       r.state = 'failed' OR coalesce(
           (SELECT f.published_at FROM summary_edition f
            WHERE f.team_id = r.team_id AND f.kind = r.kind AND f.period = r.period AND f.form = r.form AND f.edition = 1)
               - r.due_at > interval '15 minutes', false) AS late,
       CASE WHEN r.state = 'failed' THEN 'run_failed' END AS problem
FROM summary_run r
LEFT JOIN LATERAL (SELECT edition, published_at FROM summary_edition e
                   WHERE e.team_id = r.team_id AND e.kind = r.kind AND e.period = r.period AND e.form = r.form
                     AND (e.form = 'internal' OR NOT EXISTS (
                         SELECT FROM release x WHERE x.team_id = e.team_id AND x.dataset = 'tables'
                             AND x.period = e.period AND x.edition = e.edition AND x.withdrawn_at IS NOT NULL))
                   ORDER BY edition DESC LIMIT 1) e ON true
WHERE r.team_id = :team_id AND r.form = :form AND (r.form = 'internal' OR e.edition IS NOT NULL)
  AND (:kind::text IS NULL OR r.kind = :kind)
  AND (:since::timestamptz IS NULL OR r.starts_at >= :since) AND (:until::timestamptz IS NULL OR r.starts_at < :until)
  AND (:after_day::date IS NULL OR (r.first_day, r.kind) < (:after_day, :after_kind))
ORDER BY r.first_day DESC, r.kind DESC LIMIT :most

-- name: log_until
-- why: the whole log up to a position, to compute an old edition anew from nothing but its entries
SELECT * FROM stored_entry WHERE team_id = :team_id AND seq > :after AND seq <= :until ORDER BY seq LIMIT :most
