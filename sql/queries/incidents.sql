-- name: position
-- why: a cursor is good only where this log has the same link at its position
SELECT link FROM entry WHERE team_id = $1 AND seq = $2

-- name: in_scope
-- why: a phone that starts afresh gets what it may hold now, in the order of change; scope first, as it lies at the log's end
WITH scope AS MATERIALIZED (
    SELECT id, root, blind, seq, status, judged_by, restricted FROM incident WHERE team_id = $1 AND scope_until > $7
), page AS (
    SELECT i.id, i.root, i.blind, i.seq, true AS held FROM scope i
    WHERE shown(i.blind, i.judged_by, $2, $3) AND i.status <> 'absorbed' AND (i.seq, i.id) > ($4, $5)
      AND ($8 OR NOT i.restricted)
    ORDER BY i.seq, i.id LIMIT $6
), noted AS (
    INSERT INTO audit (team_id, operation, actor, role, device, query, ids)
    SELECT $1, 'consultation', $3, $9, $10, 'sync', array_agg(id) FROM page HAVING count(*) > 0
)
SELECT h.seq AS head_seq, h.link AS head_link, p.*,
    (SELECT e.link FROM entry e WHERE e.team_id = $1 AND e.seq = $4) AS link,
    (SELECT e.link FROM entry e WHERE e.team_id = $1 AND e.seq = p.seqs[cardinality(p.seqs)]) AS last_link
FROM log_head h,
    (SELECT array_agg(id ORDER BY seq, id) AS ids, array_agg(blind ORDER BY seq, id) AS blinds,
            array_agg(seq ORDER BY seq, id) AS seqs, array_agg(held ORDER BY seq, id) AS holds FROM page) p
WHERE h.team_id = $1

-- name: changed
-- why: what changed beyond a position, in the order of change; what is no longer to be held comes along as such
WITH page AS (
    SELECT i.id, i.root, i.blind, i.seq, i.root = i.id AND i.scope_until > $7 AND ($8 OR NOT i.restricted) AS held
    FROM incident i
    WHERE i.team_id = $1 AND shown(i.blind, i.judged_by, $2, $3) AND (i.seq, i.id) > ($4, $5)
    ORDER BY i.seq, i.id LIMIT $6
), noted AS (
    INSERT INTO audit (team_id, operation, actor, role, device, query, ids)
    SELECT $1, 'consultation', $3, $9, $10, 'sync', array_agg(id) FROM page WHERE held HAVING count(*) > 0
)
SELECT h.seq AS head_seq, h.link AS head_link, p.*,
    (SELECT e.link FROM entry e WHERE e.team_id = $1 AND e.seq = $4) AS link,
    (SELECT e.link FROM entry e WHERE e.team_id = $1 AND e.seq = p.seqs[cardinality(p.seqs)]) AS last_link
FROM log_head h,
    (SELECT array_agg(id ORDER BY seq, id) AS ids, array_agg(blind ORDER BY seq, id) AS blinds,
            array_agg(seq ORDER BY seq, id) AS seqs, array_agg(held ORDER BY seq, id) AS holds FROM page) p
WHERE h.team_id = $1

-- name: turned
-- why: what changed by time alone between two instants: a grade leaving P, an expiry, an overdue outcome, the end of scope
WITH page AS (
    SELECT i.id, i.root, i.blind, i.seq, i.scope_until > $7 AND ($8 OR NOT i.restricted) AS held
    FROM incident i
    WHERE i.team_id = $1 AND shown(i.blind, i.judged_by, $2, $3) AND i.status <> 'absorbed' AND i.id > $5
      AND (i.turns_last > $4 AND EXISTS (SELECT FROM unnest(i.turns) t WHERE t > $4 AND t <= $7)
           OR i.scope_until > $4 AND i.scope_until <= $7)
    ORDER BY i.id LIMIT $6
), noted AS (
    INSERT INTO audit (team_id, operation, actor, role, device, query, ids)
    SELECT $1, 'consultation', $3, $9, $10, 'sync', array_agg(id) FROM page WHERE held HAVING count(*) > 0
)
SELECT array_agg(id ORDER BY id) AS ids, array_agg(blind ORDER BY id) AS blinds, array_agg(seq ORDER BY id) AS seqs,
    array_agg(held ORDER BY id) AS holds
FROM page

-- name: find
-- why: one incident under any of its ids, as the actor may see it
SELECT r.id, r.root, r.blind, r.seq, r.restricted
FROM incident i JOIN incident r ON r.team_id = i.team_id AND r.id = i.root
WHERE i.team_id = $1 AND i.id = $2 AND NOT i.blind AND shown(r.blind, r.judged_by, $3, $4) AND ($5 OR NOT r.restricted)

-- name: page
-- why: the incident list, newest first, keyset-paged; conditions left out are null (root = id would look like one row)
SELECT i.id, i.root, i.blind, i.seq, i.occurred_at
FROM incident i
WHERE i.team_id = $1 AND shown(i.blind, i.judged_by, $2, $3) AND i.status <> 'absorbed' AND ($4 OR NOT i.restricted)
  AND ($5::text IS NULL OR i.status = $5)
  AND ($6::text IS NULL OR i.area = $6)
  AND ($7::text IS NULL OR i.log_ref = $7)
  AND ($8::timestamptz IS NULL OR i.occurred_at >= $8)
  AND ($9::timestamptz IS NULL OR i.occurred_at < $9)
  AND ($10::text IS NULL OR $10 = ANY (i.flags))
  AND ($11::timestamptz IS NULL OR (i.occurred_at, i.id) < ($11, $12))
  AND (NOT $13 OR i.status IN ('open', 'awaiting_outcome'))
ORDER BY i.occurred_at DESC, i.id DESC LIMIT $14

-- name: material
-- why: the entries that the incidents add up to, with what other incidents of the person contribute
SELECT m.root, e.seq, e.id, e.incident_id, e.received_at, e.author, e.profession, e.role, e.device, e.skew_ms, e.blind,
       e.released_by, e.body
FROM (
    SELECT r AS root, r AS id FROM unnest($2::uuid[]) r
    UNION ALL
    SELECT i.root, i.id FROM unnest($2::uuid[]) r
    JOIN LATERAL (SELECT root, id FROM incident WHERE team_id = $1 AND root = r AND root <> id AND NOT blind OFFSET 0) i ON true
) m
JOIN LATERAL (SELECT * FROM entry WHERE team_id = $1 AND incident_id = m.id OFFSET 0) e ON true

-- name: beside
-- why: what is kept with an incident but is not of its entries
SELECT i.id, i.related, i.duplicates, i.turns, i.ids FROM incident i
WHERE i.team_id = $1 AND i.id = ANY ($2::uuid[]) AND NOT i.blind

-- name: chained
-- why: an entry's place in the chain, and its sealed text for those who may read it
SELECT id, link, sealed, key_ref, notices FROM entry WHERE team_id = $1 AND id = ANY ($2::uuid[])

-- name: held
-- why: which of a phone's entries are in the log; the other side's are no business of it
SELECT x AS id FROM unnest($2::uuid[]) x
JOIN LATERAL (SELECT 1 FROM entry WHERE team_id = $1 AND id = x AND (profession = 'police') = $3 OFFSET 0) e ON true

-- name: disclose_intents
-- why: a judgement given after the service showed an intent is not blind
INSERT INTO intent_disclosure (team_id, incident_id, staff_id, device_id)
SELECT $1, x, $2, $3 FROM unnest($4::uuid[]) x ON CONFLICT DO NOTHING
