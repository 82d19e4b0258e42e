-- name: begin_pull
-- why: whether sender and cursor still stand, and whether there may be anything to tell: most pulls end here. A cursor is
-- good only where this log has the same link at its position, and is of the same history
SELECT
    EXISTS (SELECT FROM staff s LEFT JOIN device d ON d.team_id = :team_id AND d.device_id = :device
            WHERE s.team_id = :team_id AND s.staff_id = :account AND s.stamp = :stamp AND s.disabled_at IS NULL
              AND d.revoked_at IS NULL) AS stands,
    h.seq AS head_seq, n.epoch,
    (SELECT e.link FROM entry e WHERE e.team_id = :team_id AND e.seq = :position) AS link,
    EXISTS (SELECT FROM incident
            WHERE team_id = :team_id AND turns_last > :since AND turns_last < 'infinity'
              AND EXISTS (SELECT FROM unnest(CASE WHEN :lead THEN lead_turns ELSE turns END) t WHERE t > :since AND t <= :now))
        OR EXISTS (SELECT FROM incident WHERE team_id = :team_id AND scope_until > :since AND scope_until <= :now)
        OR EXISTS (SELECT FROM audience_position
                   WHERE team_id = :team_id AND scope_until > :since AND scope_until <= :now) AS turned,
    EXISTS (SELECT FROM task t WHERE t.team_id = :team_id AND t.addressee = :account AND t.answered_at IS NULL
            AND t.taken_back_at IS NULL) AS asked
FROM log_head h, installation n
WHERE h.team_id = :team_id

-- name: in_scope
-- why: a phone that starts afresh gets what it may hold now, in the order of change; scope first, as it lies at the log's end
WITH scope AS MATERIALIZED (
    SELECT id, root, blind, seq, status, judged_by, lead_unblinded_at, restricted FROM incident
    WHERE team_id = :team_id AND scope_until > :now
), page AS (
    SELECT i.id, i.blind, i.seq, coalesce(p.seq, i.seq) AS position, true AS held
    FROM scope i
    LEFT JOIN LATERAL (
        SELECT seq, scope_until FROM audience_position
        WHERE team_id = :team_id AND incident_id = i.id AND row_seq = i.seq AND lead = :lead
          AND side = CASE :audience WHEN 'police' THEN 'police' ELSE 'health' END OFFSET 0) p ON NOT i.blind
    WHERE is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now) AND i.status <> 'absorbed'
      AND (coalesce(p.seq, i.seq), i.id) > (:position, :place) AND (:lead OR NOT i.restricted)
      AND coalesce(p.scope_until > :now, true)
    ORDER BY position, i.id LIMIT :most
), noted AS (
    INSERT INTO audit (team_id, operation, actor, role, device, query, ids)
    SELECT :team_id, 'consultation', :account, :role, :device, 'sync', array_agg(id) FROM page HAVING count(*) > 0
)
SELECT h.seq AS head_seq, h.link AS head_link, n.epoch, p.*,
    (SELECT e.link FROM entry e WHERE e.team_id = :team_id AND e.seq = :position) AS link,
    (SELECT e.link FROM entry e WHERE e.team_id = :team_id AND e.seq = p.last_position) AS last_link,
    EXISTS (SELECT FROM task t WHERE t.team_id = :team_id AND t.addressee = :account AND t.answered_at IS NULL
            AND t.taken_back_at IS NULL) AS asked
FROM log_head h, installation n,
    (SELECT array_agg(id ORDER BY position, id) AS ids, array_agg(blind ORDER BY position, id) AS blinds,
            array_agg(seq ORDER BY position, id) AS seqs, array_agg(held ORDER BY position, id) AS holds,
            max(position) AS last_position FROM page) p
WHERE h.team_id = :team_id

-- name: changed
-- why: what changed for this audience beyond a position, in the order of change, so what stands elsewhere for it than its
-- row says comes from an index of its own; what is no longer to be held comes along as such
WITH moved AS (
    (SELECT i.id, i.blind, i.seq, i.seq AS position, i.root = i.id AND i.scope_until > :now AND (:lead OR NOT i.restricted) AS held
     FROM incident i
     WHERE i.team_id = :team_id AND is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now)
       AND (i.seq, i.id) > (:position, :place)
       AND (i.blind OR NOT EXISTS (
           SELECT FROM audience_position p WHERE p.team_id = :team_id AND p.incident_id = i.id AND p.row_seq = i.seq
             AND p.side = CASE :audience WHEN 'police' THEN 'police' ELSE 'health' END AND p.lead = :lead))
     ORDER BY i.seq, i.id LIMIT :most)
    UNION ALL
    (SELECT i.id, i.blind, i.seq, p.seq, i.root = i.id AND least(p.scope_until, i.scope_until) > :now AND (:lead OR NOT i.restricted)
     FROM audience_position p
     JOIN incident i ON i.team_id = :team_id AND i.id = p.incident_id AND NOT i.blind AND i.seq = p.row_seq
     WHERE p.team_id = :team_id AND p.side = CASE :audience WHEN 'police' THEN 'police' ELSE 'health' END AND p.lead = :lead
       AND is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now)
       AND (p.seq, p.incident_id) > (:position, :place)
     ORDER BY p.seq, p.incident_id LIMIT :most)
), page AS (
    SELECT * FROM moved ORDER BY position, id LIMIT :most
), noted AS (
    INSERT INTO audit (team_id, operation, actor, role, device, query, ids)
    SELECT :team_id, 'consultation', :account, :role, :device, 'sync', array_agg(id) FROM page WHERE held HAVING count(*) > 0
)
SELECT h.seq AS head_seq, h.link AS head_link, n.epoch, p.*,
    (SELECT e.link FROM entry e WHERE e.team_id = :team_id AND e.seq = :position) AS link,
    (SELECT e.link FROM entry e WHERE e.team_id = :team_id AND e.seq = p.last_position) AS last_link,
    EXISTS (SELECT FROM task t WHERE t.team_id = :team_id AND t.addressee = :account AND t.answered_at IS NULL
            AND t.taken_back_at IS NULL) AS asked
FROM log_head h, installation n,
    (SELECT array_agg(id ORDER BY position, id) AS ids, array_agg(blind ORDER BY position, id) AS blinds,
            array_agg(seq ORDER BY position, id) AS seqs, array_agg(held ORDER BY position, id) AS holds,
            max(position) AS last_position FROM page) p
WHERE h.team_id = :team_id

-- name: turned
-- why: what changed by time alone between two instants: a grade leaving P, an expiry, an overdue outcome, an intent that may be
-- seen, the end of scope; two ranges closed at both ends, which a plan made without their values takes from the indexes
WITH turned AS MATERIALIZED (
    SELECT id, blind, seq, status, judged_by, lead_unblinded_at, restricted, scope_until, true AS by_time FROM incident
    WHERE team_id = :team_id AND turns_last > :since AND turns_last < 'infinity'
      AND EXISTS (SELECT FROM unnest(CASE WHEN :lead THEN lead_turns ELSE turns END) t WHERE t > :since AND t <= :now)
    UNION
    SELECT id, blind, seq, status, judged_by, lead_unblinded_at, restricted, scope_until, false FROM incident
    WHERE team_id = :team_id AND scope_until > :since AND scope_until <= :now
    UNION
    SELECT i.id, i.blind, i.seq, i.status, i.judged_by, i.lead_unblinded_at, i.restricted, i.scope_until, false
    FROM audience_position p
    JOIN incident i ON i.team_id = :team_id AND i.id = p.incident_id AND NOT i.blind AND i.seq = p.row_seq
    WHERE p.team_id = :team_id AND p.side = CASE :audience WHEN 'police' THEN 'police' ELSE 'health' END AND p.lead = :lead
      AND p.scope_until > :since AND p.scope_until <= :now
), page AS (
    SELECT i.id, i.blind, i.seq, least(p.scope_until, i.scope_until) > :now AND (:lead OR NOT i.restricted) AS held
    FROM turned i
    LEFT JOIN LATERAL (
        SELECT seq, scope_until FROM audience_position
        WHERE team_id = :team_id AND incident_id = i.id AND row_seq = i.seq AND lead = :lead
          AND side = CASE :audience WHEN 'police' THEN 'police' ELSE 'health' END OFFSET 0) p ON NOT i.blind
    WHERE is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now)
      AND i.status <> 'absorbed' AND i.id > :place
      AND (i.by_time OR least(p.scope_until, i.scope_until) > :since AND least(p.scope_until, i.scope_until) <= :now)
    GROUP BY i.id, i.blind, i.seq, i.scope_until, p.scope_until, i.restricted
    ORDER BY i.id LIMIT :most
), noted AS (
    INSERT INTO audit (team_id, operation, actor, role, device, query, ids)
    SELECT :team_id, 'consultation', :account, :role, :device, 'sync', array_agg(id) FROM page WHERE held HAVING count(*) > 0
)
SELECT array_agg(id ORDER BY id) AS ids, array_agg(blind ORDER BY id) AS blinds, array_agg(seq ORDER BY id) AS seqs,
    array_agg(held ORDER BY id) AS holds,
    EXISTS (SELECT FROM task t WHERE t.team_id = :team_id AND t.addressee = :account AND t.answered_at IS NULL
            AND t.taken_back_at IS NULL) AS asked
FROM page

-- name: find
-- why: one incident under any of its ids, as the actor may see it
SELECT r.root, r.blind, r.seq
FROM incident i JOIN incident r ON r.team_id = i.team_id AND r.id = i.root
WHERE i.team_id = :team_id AND i.id = :id AND NOT i.blind
  AND is_readable(r.blind, r.judged_by, r.lead_unblinded_at, :audience, :account, :now) AND (:lead OR NOT r.restricted)

-- name: consult
-- why: as `find`, for a request that only reads: whether its sender still stands, whether it is known already that the sender
-- was served the incident's intents, and the reading logged, unless it is to turn out first whether it is one
WITH sender AS (
    SELECT coalesce(d.installation, d.device_id, '00000000-0000-0000-0000-000000000000') AS phone
    FROM staff s LEFT JOIN device d ON d.team_id = :team_id AND d.device_id = :device
    WHERE s.team_id = :team_id AND s.staff_id = :account AND s.stamp = :stamp AND s.disabled_at IS NULL AND d.revoked_at IS NULL
), version AS (
    SELECT r.root, r.blind, r.seq, CASE WHEN r.ids = '{}' THEN ARRAY[r.id] ELSE r.ids END AS ids
    FROM incident i JOIN incident r ON r.team_id = i.team_id AND r.id = i.root
    WHERE i.team_id = :team_id AND i.id = :id AND NOT i.blind
      AND is_readable(r.blind, r.judged_by, r.lead_unblinded_at, :audience, :account, :now) AND (:lead OR NOT r.restricted)
), noted AS (
    INSERT INTO audit (team_id, operation, actor, role, device, query, ids)
    SELECT :team_id, 'consultation', :account, :role, :device, 'incident', ARRAY[v.root] FROM version v, sender WHERE :note
)
SELECT s.phone IS NOT NULL AS stands, v.root, v.blind, v.seq,
    (SELECT count(*) FROM unnest(v.ids) x
     JOIN LATERAL (SELECT FROM intent_served WHERE team_id = :team_id AND incident_id = x AND staff_id = :account
                   AND phone = s.phone OFFSET 0) k ON true) = cardinality(v.ids) AS knows_intents
FROM (SELECT) x LEFT JOIN sender s ON true LEFT JOIN version v ON true

-- name: list
-- why: the incident list, newest first, keyset-paged; conditions left out are null (root = id would look like one row)
SELECT i.root, i.blind, i.seq, i.occurred_at
FROM incident i
WHERE i.team_id = :team_id AND is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now)
  AND i.status <> 'absorbed' AND (:lead OR NOT i.restricted)
  AND (:status::text IS NULL OR i.status = :status)
  AND (:area::text IS NULL OR i.area = :area)
  AND (:log_ref::text IS NULL OR plain_ref(i.log_ref) = plain_ref(:log_ref))
  AND (:since::timestamptz IS NULL OR i.occurred_at >= :since)
  AND (:until::timestamptz IS NULL OR i.occurred_at < :until)
  AND (:flag::text IS NULL OR :flag = ANY (i.flags))
  AND (:ids::uuid[] IS NULL OR i.id = ANY (:ids))
  AND (:after_at::timestamptz IS NULL OR (i.occurred_at, i.id) < (:after_at, :after_id))
  AND (NOT :under_way OR i.status IN ('open', 'awaiting_outcome'))
ORDER BY i.occurred_at DESC, i.id DESC LIMIT :most

-- name: readable
-- why: the rows under which an actor sees these incidents
SELECT i.root, i.blind, i.seq FROM incident i
WHERE i.team_id = :team_id AND is_readable(i.blind, i.judged_by, i.lead_unblinded_at, :audience, :account, :now)
  AND i.root = i.id AND i.id = ANY (:ids::uuid[]) AND (:lead OR NOT i.restricted)

-- name: entries
-- why: the entries that the incidents add up to
SELECT e.*, m.root
FROM (
    SELECT r AS root, r AS id FROM unnest(:roots::uuid[]) r
    UNION ALL
    SELECT i.root, i.id FROM unnest(:roots::uuid[]) r
    JOIN LATERAL (SELECT root, id FROM incident
                  WHERE team_id = :team_id AND root = r AND root <> id AND NOT blind OFFSET 0) i ON true
) m
JOIN LATERAL (SELECT * FROM stored_entry WHERE team_id = :team_id AND incident_id = m.id OFFSET 0) e ON true

-- name: beside
-- why: what is kept with an incident but is not of its entries
SELECT i.id, i.related, i.duplicates <> '{}' AS duplicate, CASE WHEN :lead THEN i.lead_turns ELSE i.turns END AS turns,
       CASE WHEN i.ids = '{}' THEN ARRAY[i.id] ELSE i.ids END AS ids, i.judged_by <> '{}' AS judged
FROM incident i WHERE i.team_id = :team_id AND i.id = ANY (:roots::uuid[]) AND NOT i.blind

-- name: served_to_judges
-- why: what decides whether a judgement was blind: when an intent of the incident was first served to who judged, or her phone
SELECT s.incident_id, s.staff_id, d.device_id, s.at
FROM unnest(:roots::uuid[]) r
JOIN LATERAL (SELECT CASE WHEN ids = '{}' THEN ARRAY[id] ELSE ids END AS ids, judged_by FROM incident
              WHERE team_id = :team_id AND id = r AND NOT blind AND judged_by <> '{}' OFFSET 0) i ON true
JOIN LATERAL (SELECT * FROM intent_served WHERE team_id = :team_id AND incident_id = ANY (i.ids) OFFSET 0) s ON true
LEFT JOIN LATERAL (SELECT device_id FROM device WHERE team_id = :team_id AND coalesce(installation, device_id) = s.phone
                   AND staff_id = ANY (i.judged_by) OFFSET 0) d ON true
WHERE s.staff_id = ANY (i.judged_by) OR d.device_id IS NOT NULL

-- name: record_served
-- why: a judgement given after the service showed an intent is not blind
INSERT INTO intent_served (team_id, incident_id, staff_id, phone)
SELECT :team_id, x, :account, coalesce(
    (SELECT coalesce(installation, device_id) FROM device WHERE team_id = :team_id AND device_id = :device),
    '00000000-0000-0000-0000-000000000000')
FROM unnest(:ids::uuid[]) x ON CONFLICT DO NOTHING

-- name: chained
-- why: an entry's place in the chain, and its sealed text for those who may read it
SELECT id, link, sealed, key_ref, notices FROM entry WHERE team_id = :team_id AND id = ANY (:ids::uuid[])

-- name: held
-- why: which of a phone's entries are in the log; the other side's are no business of it
SELECT x AS id FROM unnest(:ids::uuid[]) x
JOIN LATERAL (SELECT 1 FROM entry WHERE team_id = :team_id AND id = x AND (profession = 'police') = :police OFFSET 0) e ON true

-- name: names
-- why: who wrote is shown by name; what they wrote holds only their ids
SELECT staff_id, name FROM staff WHERE team_id = :team_id AND staff_id = ANY(:staff::uuid[])
