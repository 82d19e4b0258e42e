-- name: teams
-- why: jobs work for every team in turn
SELECT team_id, zone, day_start_hour, starts_on FROM teams()

-- name: team_name
-- why: messages name the team
SELECT name FROM team WHERE team_id = $1

-- name: schedule
-- why: a team's own due times
SELECT kind, due_at, after_days FROM summary_schedule WHERE team_id = $1

-- name: set_schedule
-- why: a team may want its summaries at another time
INSERT INTO summary_schedule (team_id, kind, due_at, after_days) VALUES ($1, $2, $3, $4)
ON CONFLICT (team_id, kind) DO UPDATE SET due_at = excluded.due_at, after_days = excluded.after_days

-- name: runs
-- why: what was done decides what is left to do; the newest edition decides whether another may follow today
SELECT r.kind, r.period, r.first_day, r.starts_at, r.ends_at, r.due_at, r.state, r.ran_at, r.failures, r.checked_seq,
       r.checked_rules, e.edition, e.published_at
FROM summary_run r
LEFT JOIN LATERAL (SELECT edition, published_at FROM summary_edition e
                   WHERE e.team_id = r.team_id AND e.kind = r.kind AND e.period = r.period AND e.form = r.form
                   ORDER BY edition DESC LIMIT 1) e ON true
WHERE r.team_id = $1 AND r.form = 'internal'

-- name: try_claim
-- why: one process works on a period, the others pass on to the next instead of waiting
SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))

-- name: published
-- why: whether another process was faster
SELECT count(*) > 0 FROM summary_edition WHERE team_id = $1 AND kind = $2 AND period = $3 AND form = $4

-- name: end_of_previous
-- why: periods of a kind tile even where the team's zone or hour of day changed between them
SELECT ends_at FROM summary_run WHERE team_id = $1 AND kind = $2 AND period = $3 AND form = 'internal'

-- name: head
-- why: the position that a summary is cut at
SELECT seq, link FROM log_head WHERE team_id = $1

-- name: members
-- why: the incidents that occurred in a stretch of time, with what is known of them if it is still true
SELECT i.id, i.seq, i.duplicates <> '{}' AS duplicate,
       CASE WHEN f.seq = i.seq AND f.version = $4 THEN f.body END AS body,
       CASE WHEN f.seq = i.seq AND f.version = $4 THEN NULL ELSE i.related END AS related
FROM incident i
LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id AND f.occurred_at >= $2 AND f.occurred_at < $3
WHERE i.team_id = $1 AND NOT i.blind AND i.status <> 'absorbed' AND i.occurred_at >= $2 AND i.occurred_at < $3

-- name: of_people
-- why: what else happened to the people whom incidents of the period concern
SELECT DISTINCT ON (i.id) i.id, i.seq, i.occurred_at, i.related, i.duplicates <> '{}' AS duplicate,
       CASE WHEN f.seq = i.seq AND f.version = $5 THEN f.body END AS body
FROM incident_person p
JOIN incident i ON i.team_id = p.team_id AND i.id = p.incident_id AND NOT i.blind AND i.status <> 'absorbed'
LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE p.team_id = $1 AND p.person_id = ANY ($2::uuid[]) AND i.occurred_at >= $3 AND i.occurred_at < $4

-- name: running
-- why: detentions without an end, whose clock may be running out
SELECT i.id, i.seq, i.occurred_at, i.related, i.duplicates <> '{}' AS duplicate,
       CASE WHEN f.seq = i.seq AND f.version = $2 THEN f.body END AS body
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = $1 AND NOT i.blind AND i.root = i.id AND i.status = 'awaiting_outcome' AND NOT i.test

-- name: entries
-- why: every entry of these incidents, the absorbed ones included, to add them up again
WITH member AS (
    SELECT x AS id, x AS root FROM unnest($2::uuid[]) x
    UNION ALL
    SELECT i.id, i.root FROM incident i
    WHERE i.team_id = $1 AND i.root = ANY ($2::uuid[]) AND i.root <> i.id AND NOT i.blind
)
SELECT m.root, e.seq, e.id, e.incident_id, e.received_at, e.author, e.profession, e.role, e.device, e.skew_ms, e.blind,
       e.released_by, e.body
FROM member m JOIN entry e ON e.team_id = $1 AND e.incident_id = m.id

-- name: keep_facts
-- why: what was added up once need not be again until the incident changes
INSERT INTO incident_fact (team_id, id, seq, occurred_at, version, body)
SELECT $1, x.id, x.seq, x.occurred_at, $5, x.body
FROM unnest($2::uuid[], $3::bigint[], $4::timestamptz[], $6::bytea[]) x (id, seq, occurred_at, body)
ON CONFLICT (team_id, id) DO UPDATE SET seq = excluded.seq, occurred_at = excluded.occurred_at, version = excluded.version,
    body = excluded.body
WHERE incident_fact.seq < excluded.seq OR incident_fact.version <> excluded.version

-- name: heard
-- why: no incidents and nobody heard from is not the same as no incidents
SELECT EXISTS (SELECT FROM entry WHERE team_id = $1 AND received_at >= $2 AND received_at < $3)
    OR EXISTS (SELECT FROM device WHERE team_id = $1 AND last_seen_at >= $2)

-- name: restated
-- why: how many editions replaced another in the period is itself a measure of quality
SELECT count(*) FROM summary_edition
WHERE team_id = $1 AND form = 'internal' AND edition > 1 AND published_at >= $2 AND published_at < $3

-- name: kinds_since
-- why: which kinds of entries came to these incidents since the last edition
SELECT DISTINCT e.kind FROM entry e
LEFT JOIN incident i ON i.team_id = e.team_id AND i.id = e.incident_id AND NOT i.blind
WHERE e.team_id = $1 AND e.seq > $2 AND e.seq <= $3 AND ($4::uuid[] IS NULL OR i.root = ANY ($4::uuid[])) ORDER BY e.kind

-- name: record_run
-- why: the row that says a period is published
INSERT INTO summary_run (team_id, kind, period, form, first_day, starts_at, ends_at, due_at, state, ran_at, checked_seq,
                         checked_rules)
VALUES ($1, $2, $3, 'internal', $4, $5, $6, $7, 'published', $8, $9, $10)
ON CONFLICT (team_id, kind, period, form) DO UPDATE SET state = 'published', ran_at = excluded.ran_at,
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, due_at = excluded.due_at,
    checked_seq = excluded.checked_seq, checked_rules = excluded.checked_rules

-- name: record_failure
-- why: a failed run is visible, and is tried again; what is published stays published
INSERT INTO summary_run (team_id, kind, period, form, first_day, starts_at, ends_at, due_at, state, ran_at, failures)
VALUES ($1, $2, $3, 'internal', $4, $5, $6, $7, 'failed', $8, 1)
ON CONFLICT (team_id, kind, period, form) DO UPDATE SET failures = summary_run.failures + 1, ran_at = excluded.ran_at
WHERE summary_run.state = 'failed'

-- name: checked
-- why: later entries up to here change nothing: look no further back
UPDATE summary_run SET checked_seq = $5, checked_rules = $6, ran_at = $7
WHERE team_id = $1 AND kind = $2 AND period = $3 AND form = $4 AND checked_seq <= $5

-- name: add_edition
-- why: an edition, once and for all
INSERT INTO summary_edition (team_id, kind, period, form, edition, published_at, as_at, as_at_seq, chain_head, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: rows_of
-- why: the journal keeps an edition as it was stored, so that a restored backup does not publish it again
SELECT 'summary_run' AS name, row_to_json(r)::text AS row FROM summary_run r
WHERE r.team_id = $1 AND r.kind = $2 AND r.period = $3 AND r.form = $4
UNION ALL
SELECT 'summary_edition', row_to_json(e)::text FROM summary_edition e
WHERE e.team_id = $1 AND e.kind = $2 AND e.period = $3 AND e.form = $4 AND e.edition = $5

-- name: edition
-- why: one edition of a period, the latest where none is named; tables that were withdrawn are so in every form
SELECT body FROM summary_edition e
WHERE team_id = $1 AND kind = $2 AND period = $3 AND form = $4 AND ($5::int IS NULL OR edition = $5)
  AND (form = 'internal' OR NOT EXISTS (
      SELECT FROM release r WHERE r.team_id = e.team_id AND r.dataset = 'tables' AND r.period = e.period
          AND r.edition = e.edition AND r.withdrawn_at IS NOT NULL))
ORDER BY edition DESC LIMIT 1

-- name: editions
-- why: every edition of a period, oldest first
SELECT body FROM summary_edition WHERE team_id = $1 AND kind = $2 AND period = $3 AND form = $4 ORDER BY edition

-- name: run
-- why: a period without an edition may have a run that failed
SELECT kind, period, starts_at, ends_at, due_at, state, ran_at, failures FROM summary_run
WHERE team_id = $1 AND kind = $2 AND period = $3 AND form = $4

-- name: list_runs
-- why: one row a kind, period and form, newest period first, with its latest edition
SELECT r.kind, r.form, r.period, r.first_day, r.starts_at, r.ends_at, r.state, r.ran_at, e.edition, e.published_at,
       e.published_at - r.due_at > interval '15 minutes' AND e.edition = 1 AS late
FROM summary_run r
LEFT JOIN LATERAL (SELECT edition, published_at FROM summary_edition e
                   WHERE e.team_id = r.team_id AND e.kind = r.kind AND e.period = r.period AND e.form = r.form
                     AND (e.form = 'internal' OR NOT EXISTS (
                         SELECT FROM release x WHERE x.team_id = e.team_id AND x.dataset = 'tables'
                             AND x.period = e.period AND x.edition = e.edition AND x.withdrawn_at IS NOT NULL))
                   ORDER BY edition DESC LIMIT 1) e ON true
WHERE r.team_id = $1 AND r.form = $2 AND (r.form = 'internal' OR e.edition IS NOT NULL)
  AND ($3::text IS NULL OR r.kind = $3)
  AND ($4::timestamptz IS NULL OR r.starts_at >= $4) AND ($5::timestamptz IS NULL OR r.starts_at < $5)
  AND ($6::date IS NULL OR (r.first_day, r.kind) < ($6, $7))
ORDER BY r.first_day DESC, r.kind DESC LIMIT $8

-- name: chain_heads
-- why: every published summary anchors the log: the heads it was cut at must still be in it
SELECT kind, period, form, edition, as_at_seq, chain_head, published_at FROM summary_edition WHERE team_id = $1
ORDER BY as_at_seq, kind, period, form, edition

-- name: log_until
-- why: the whole log up to a position, to compute an old edition anew from nothing but its entries
SELECT seq, id, incident_id, received_at, author, profession, role, device, skew_ms, blind, released_by, body
FROM entry WHERE team_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4
