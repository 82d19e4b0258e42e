-- name: members
-- why: the incidents that occurred in a stretch of time, with what is known of them if it is still true
SELECT i.id, i.seq, false AS duplicate,
       CASE WHEN f.seq = i.seq AND f.version = :version THEN NULL ELSE i.related END AS related,
       CASE WHEN f.seq = i.seq AND f.version = :version THEN f.body END AS body
FROM incident i
LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
    AND f.occurred_at >= :starts_at AND f.occurred_at < :ends_at
WHERE i.team_id = :team_id AND NOT i.blind AND i.status <> 'absorbed'
  AND i.occurred_at >= :starts_at AND i.occurred_at < :ends_at

-- name: recent
-- why: what may still need somebody to act, or the likely duplicates of it alone
SELECT i.id, i.seq, i.duplicates <> '{}' AS duplicate, i.related,
       CASE WHEN f.seq = i.seq AND f.version = :version THEN f.body END AS body
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = :team_id AND NOT i.blind AND i.status <> 'absorbed'
  AND i.occurred_at >= :starts_at AND i.occurred_at < :ends_at
  AND (NOT :duplicates_only OR i.duplicates <> '{}')

-- name: of_people
-- why: what else happened to the people whom incidents of the period concern
SELECT DISTINCT ON (i.id) i.id, i.seq, false AS duplicate, i.related,
       CASE WHEN f.seq = i.seq AND f.version = :version THEN f.body END AS body
FROM incident_person p
JOIN incident i ON i.team_id = p.team_id AND i.id = p.incident_id AND NOT i.blind AND i.status <> 'absorbed'
LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE p.team_id = :team_id AND p.person_id = ANY (:people::uuid[])
  AND i.occurred_at >= :starts_at AND i.occurred_at < :ends_at

-- name: running
-- why: detentions without an end, whose clock may be running out, whether or not an outcome was ever sent
SELECT i.id, i.seq, false AS duplicate, i.related,
       CASE WHEN f.seq = i.seq AND f.version = :version THEN f.body END AS body
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = :team_id AND NOT i.blind AND i.root = i.id AND i.flags && '{clock_running,clock_unknown}'
  AND NOT i.test

-- name: entries
-- why: every entry of these incidents, the absorbed ones included, to add them up again
WITH member AS (
    SELECT x AS id, x AS root FROM unnest(:roots::uuid[]) x
    UNION ALL
    SELECT i.id, i.root FROM incident i
    WHERE i.team_id = :team_id AND i.root = ANY (:roots::uuid[]) AND i.root <> i.id AND NOT i.blind
)
SELECT e.*, m.root
FROM member m JOIN stored_entry e ON e.team_id = :team_id AND e.incident_id = m.id

-- name: profiles
-- why: twelve months are counted where they lie, from an index alone; what moved since the position is left out
SELECT profile, coalesce(pending_until > :as_at, false) AS pending, count(*) AS n FROM incident_fact
WHERE team_id = :team_id AND occurred_at >= :starts_at AND occurred_at < :ends_at AND version = :version
  AND profile IS NOT NULL
  AND id NOT IN (SELECT i.id FROM incident i WHERE i.team_id = :team_id AND NOT i.blind AND i.seq > :position)
GROUP BY profile, coalesce(pending_until > :as_at, false)

-- name: moved
-- why: what moved since the position, or was kept by a program with other rules, is looked at one by one
SELECT i.id, i.seq, false AS duplicate, i.related,
       CASE WHEN f.seq = i.seq AND f.version = :version THEN f.body END AS body
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = :team_id AND NOT i.blind AND i.status <> 'absorbed'
  AND i.occurred_at >= :starts_at AND i.occurred_at < :ends_at
  AND i.id IN (
    SELECT m.id FROM incident m WHERE m.team_id = :team_id AND NOT m.blind AND m.seq > :position
    UNION
    SELECT o.id FROM incident_fact o WHERE o.team_id = :team_id AND o.occurred_at >= :starts_at
      AND o.occurred_at < :ends_at AND o.version <> :version)

-- name: keep
-- why: what was added up once need not be again until the incident changes
INSERT INTO incident_fact (team_id, id, seq, occurred_at, version, body, profile, pending_until)
SELECT :team_id, x.id, x.seq, x.occurred_at, :version, x.body, x.profile, x.pending_until
FROM unnest(:ids::uuid[], :seqs::bigint[], :occurred::timestamptz[], :bodies::bytea[], :profiles::text[],
            :pending_until::timestamptz[])
     x (id, seq, occurred_at, body, profile, pending_until)
WHERE NOT EXISTS (
    SELECT FROM incident i WHERE i.team_id = :team_id AND i.id = x.id AND NOT i.blind AND i.status = 'absorbed')
ON CONFLICT (team_id, id) DO UPDATE SET
    seq = excluded.seq, occurred_at = excluded.occurred_at, version = excluded.version, body = excluded.body,
    profile = excluded.profile, pending_until = excluded.pending_until
WHERE incident_fact.seq < excluded.seq OR incident_fact.version <> excluded.version

-- name: forget
-- why: what was absorbed by a link is no incident of its own any more
DELETE FROM incident_fact WHERE team_id = :team_id AND id = ANY (:ids::uuid[])

-- name: head
-- why: how far there is anything to keep
SELECT seq FROM log_head WHERE team_id = :team_id

-- name: position
-- why: up to where the facts of every incident are kept under these rules
SELECT seq FROM fact_position WHERE team_id = :team_id AND version = :version

-- name: open_position
-- why: new rules begin at the beginning
INSERT INTO fact_position (team_id, version, seq) VALUES (:team_id, :version, 0) ON CONFLICT DO NOTHING

-- name: take_position
-- why: one process keeps facts, the others pass on
SELECT seq FROM fact_position WHERE team_id = :team_id AND version = :version FOR UPDATE SKIP LOCKED

-- name: set_position
-- why: facts up to here are kept
UPDATE fact_position SET seq = :seq WHERE team_id = :team_id AND version = :version

-- name: moved_since
-- why: the next incidents that moved, all of one place in the log together
SELECT i.id, i.seq, i.related, i.status = 'absorbed' AS absorbed,
       i.status <> 'absorbed' AND (f.seq IS DISTINCT FROM i.seq OR f.version IS DISTINCT FROM :version) AS stale
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = :team_id AND NOT i.blind AND i.seq > :after ORDER BY i.seq FETCH FIRST :most ROWS WITH TIES
