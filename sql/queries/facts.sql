-- name: members
-- why: the incidents that occurred in a stretch of time, with what is known of them if it is still true
SELECT i.id, i.seq, false AS duplicate,
       CASE WHEN f.seq = i.seq AND f.version = $4 THEN f.body END AS body,
       CASE WHEN f.seq = i.seq AND f.version = $4 THEN NULL ELSE i.related END AS related
FROM incident i
LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id AND f.occurred_at >= $2 AND f.occurred_at < $3
WHERE i.team_id = $1 AND NOT i.blind AND i.status <> 'absorbed' AND i.occurred_at >= $2 AND i.occurred_at < $3

-- name: recent
-- why: what may still need somebody to act, or the likely duplicates of it alone
SELECT i.id, i.seq, i.duplicates <> '{}' AS duplicate, i.related,
       CASE WHEN f.seq = i.seq AND f.version = $5 THEN f.body END AS body
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = $1 AND NOT i.blind AND i.status <> 'absorbed' AND i.occurred_at >= $2 AND i.occurred_at < $3
  AND (NOT $4 OR i.duplicates <> '{}')

-- name: of_people
-- why: what else happened to the people whom incidents of the period concern
SELECT DISTINCT ON (i.id) i.id, i.seq, i.related, false AS duplicate,
       CASE WHEN f.seq = i.seq AND f.version = $5 THEN f.body END AS body
FROM incident_person p
JOIN incident i ON i.team_id = p.team_id AND i.id = p.incident_id AND NOT i.blind AND i.status <> 'absorbed'
LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE p.team_id = $1 AND p.person_id = ANY ($2::uuid[]) AND i.occurred_at >= $3 AND i.occurred_at < $4

-- name: running
-- why: detentions without an end, whose clock may be running out, whether or not an outcome was ever sent
SELECT i.id, i.seq, i.related, false AS duplicate,
       CASE WHEN f.seq = i.seq AND f.version = $2 THEN f.body END AS body
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = $1 AND NOT i.blind AND i.root = i.id AND i.flags && '{clock_running,clock_unknown}' AND NOT i.test

-- name: entries
-- why: every entry of these incidents, the absorbed ones included, to add them up again
WITH member AS (
    SELECT x AS id, x AS root FROM unnest($2::uuid[]) x
    UNION ALL
    SELECT i.id, i.root FROM incident i
    WHERE i.team_id = $1 AND i.root = ANY ($2::uuid[]) AND i.root <> i.id AND NOT i.blind
)
SELECT e.*, m.root
FROM member m JOIN stored_entry e ON e.team_id = $1 AND e.incident_id = m.id

-- name: profiles
-- why: twelve months are counted where they lie, from an index alone; what moved since the position is left out
SELECT profile, coalesce(pending_until > $6, false) AS pending, count(*) AS n FROM incident_fact
WHERE team_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND version = $4 AND profile IS NOT NULL
  AND id NOT IN (SELECT i.id FROM incident i WHERE i.team_id = $1 AND NOT i.blind AND i.seq > $5)
GROUP BY profile, coalesce(pending_until > $6, false)

-- name: moved
-- why: what moved since the position, or was kept by a program with other rules, is looked at one by one
SELECT i.id, i.seq, i.related, false AS duplicate,
       CASE WHEN f.seq = i.seq AND f.version = $4 THEN f.body END AS body
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = $1 AND NOT i.blind AND i.status <> 'absorbed' AND i.occurred_at >= $2 AND i.occurred_at < $3
  AND i.id IN (
    SELECT m.id FROM incident m WHERE m.team_id = $1 AND NOT m.blind AND m.seq > $5
    UNION
    SELECT o.id FROM incident_fact o WHERE o.team_id = $1 AND o.occurred_at >= $2 AND o.occurred_at < $3 AND o.version <> $4)

-- name: keep
-- why: what was added up once need not be again until the incident changes
INSERT INTO incident_fact (team_id, id, seq, occurred_at, version, body, profile, pending_until)
SELECT $1, x.id, x.seq, x.occurred_at, $5, x.body, x.profile, x.pending_until
FROM unnest($2::uuid[], $3::bigint[], $4::timestamptz[], $6::bytea[], $7::text[], $8::timestamptz[])
     x (id, seq, occurred_at, body, profile, pending_until)
WHERE NOT EXISTS (SELECT FROM incident i WHERE i.team_id = $1 AND i.id = x.id AND NOT i.blind AND i.status = 'absorbed')
ON CONFLICT (team_id, id) DO UPDATE SET seq = excluded.seq, occurred_at = excluded.occurred_at, version = excluded.version,
    body = excluded.body, profile = excluded.profile, pending_until = excluded.pending_until
WHERE incident_fact.seq < excluded.seq OR incident_fact.version <> excluded.version

-- name: forget
-- why: what was absorbed by a link is no incident of its own any more
DELETE FROM incident_fact WHERE team_id = $1 AND id = ANY ($2::uuid[])

-- name: head
-- why: how far there is anything to keep
SELECT seq FROM log_head WHERE team_id = $1

-- name: position
-- why: up to where the facts of every incident are kept under these rules
SELECT seq FROM fact_position WHERE team_id = $1 AND version = $2

-- name: open_position
-- why: new rules begin at the beginning
INSERT INTO fact_position (team_id, version, seq) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING

-- name: take_position
-- why: one process keeps facts, the others pass on
SELECT seq FROM fact_position WHERE team_id = $1 AND version = $2 FOR UPDATE SKIP LOCKED

-- name: set_position
-- why: facts up to here are kept
UPDATE fact_position SET seq = $3 WHERE team_id = $1 AND version = $2

-- name: moved_since
-- why: the next incidents that moved, all of one place in the log together
SELECT i.id, i.seq, i.related, i.status = 'absorbed' AS absorbed,
       i.status <> 'absorbed' AND (f.seq IS DISTINCT FROM i.seq OR f.version IS DISTINCT FROM $4) AS stale
FROM incident i LEFT JOIN incident_fact f ON f.team_id = i.team_id AND f.id = i.id
WHERE i.team_id = $1 AND NOT i.blind AND i.seq > $2 ORDER BY i.seq FETCH FIRST $3 ROWS WITH TIES
