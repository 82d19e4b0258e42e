-- name: list_destinations
-- why: an owner sees where messages go; a message goes to whoever wants to hear of its topic
SELECT destination_id, channel, address FROM destination
WHERE team_id = :team_id AND disabled_at IS NULL AND (:topic::text IS NULL OR :topic = ANY (topics))
ORDER BY created_at, destination_id

-- name: add_destination
-- why: somebody wants to hear of summaries or alerts
INSERT INTO destination (team_id, destination_id, channel, address, topics) VALUES (:team_id, :destination_id, :channel, :address, :topics)

-- name: disable_destination
-- why: nothing more goes there
UPDATE destination SET disabled_at = :now WHERE team_id = :team_id AND destination_id = :destination_id AND disabled_at IS NULL RETURNING true

-- name: enqueue
-- why: one message a destination and key, in the transaction of what it tells of
INSERT INTO outbox (team_id, id, destination_id, key, payload, created_at, next_at)
VALUES (:team_id, :id, :destination_id, :key, :payload, :now, :now) ON CONFLICT (team_id, destination_id, key) DO NOTHING

-- name: waiting_destinations
-- why: where messages of a topic are due; a message's key begins with its topic
SELECT DISTINCT destination_id FROM outbox
WHERE team_id = :team_id AND split_part(key, ' ', 1) = :topic AND delivered_at IS NULL AND dead_at IS NULL AND next_at <= :now

-- name: claim
-- why: one due message, kept from every other process until the attempt must be over; due again should this one die
UPDATE outbox o SET next_at = :until FROM destination d
WHERE o.team_id = :team_id AND d.team_id = :team_id AND d.destination_id = o.destination_id AND o.id = (
    SELECT id FROM outbox
    WHERE team_id = :team_id AND destination_id = :destination_id AND split_part(key, ' ', 1) = :topic
      AND delivered_at IS NULL AND dead_at IS NULL AND next_at <= :now
    ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING o.id, o.key, o.payload, o.attempts, o.created_at, d.destination_id, d.channel, d.address,
          d.disabled_at IS NOT NULL AS disabled

-- name: settle
-- why: what became of an attempt; its number
UPDATE outbox SET attempts = attempts + 1, next_at = :next_at, delivered_at = :delivered_at, dead_at = :dead_at
WHERE team_id = :team_id AND id = :id RETURNING attempts

-- name: record_attempt
-- why: every attempt is on record
INSERT INTO delivery_attempt (team_id, outbox_id, at, n, outcome) VALUES (:team_id, :message_id, :at, :n, :outcome)

-- name: undelivered
-- why: dead letters are visible, and what still waits
SELECT o.id, o.key, d.channel, o.attempts, o.next_at, o.dead_at,
       (SELECT a.outcome FROM delivery_attempt a WHERE a.team_id = o.team_id AND a.outbox_id = o.id ORDER BY a.n DESC LIMIT 1)
           AS last_outcome
FROM outbox o JOIN destination d USING (team_id, destination_id)
WHERE o.team_id = :team_id AND o.delivered_at IS NULL ORDER BY o.created_at, o.id

-- name: replay
-- why: a dead letter gets another chance
UPDATE outbox SET dead_at = NULL, next_at = :now
WHERE team_id = :team_id AND dead_at IS NOT NULL AND (:message_id::uuid IS NULL OR id = :message_id) RETURNING id

-- name: raise_alert
-- why: an alert is raised once, by whichever process is first
INSERT INTO alert (team_id, incident_id, kind, mark, raised_at) VALUES (:team_id, :incident_id, :kind, :mark, :now)
ON CONFLICT DO NOTHING RETURNING true

-- name: children_at_stations
-- why: a child at a police station is told of at once; what is older than a week, or ended in a death, needs no alert
SELECT i.id FROM incident i
WHERE i.team_id = :team_id AND NOT i.blind AND i.root = i.id AND i.flags @> '{under_18_police_station}' AND NOT i.test
  AND NOT i.restricted
  AND i.changed_at > :since AND NOT EXISTS (SELECT FROM alert a WHERE a.team_id = i.team_id AND a.incident_id = i.id
                                        AND a.kind = 'under_18_police_station')
