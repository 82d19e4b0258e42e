-- name: reach
-- why: what an append concerns besides the incidents that its entries are sent under: the families of these, of what the
-- entries correct and of what waits for them, and those of every other incident of their people, whose grades may move;
-- unnest with lateral keeps the indexes in use on a fresh table
WITH told AS (
    SELECT unnest(:incidents::uuid[]) AS id
    UNION
    SELECT e.belongs_to FROM unnest(:targets::uuid[]) x
    JOIN LATERAL (SELECT belongs_to FROM entry WHERE team_id = :team_id AND id = x OFFSET 0) e ON true
    UNION
    SELECT e.belongs_to FROM unnest(:ids::uuid[]) x
    JOIN LATERAL (SELECT belongs_to FROM entry WHERE team_id = :team_id AND names = x OFFSET 0) e ON true
), touched AS (
    SELECT DISTINCT coalesce(i.family, x.id) AS family
    FROM told x
    LEFT JOIN LATERAL (
        SELECT family FROM incident WHERE team_id = :team_id AND id = x.id AND NOT blind OFFSET 0) i ON true
), named AS (
    SELECT family AS id FROM touched
    UNION
    SELECT i.id FROM touched t
    JOIN LATERAL (
        SELECT id FROM incident WHERE team_id = :team_id AND family = t.family AND NOT blind OFFSET 0) i ON true
), concerned AS (
    SELECT unnest(:people::uuid[]) AS id
    UNION
    SELECT coalesce((SELECT a.person_id FROM person_alias a WHERE a.team_id = :team_id AND a.alias = x), x)
    FROM unnest(:aliases::uuid[]) x
    UNION
    SELECT unnest(i.people) FROM named n
    JOIN LATERAL (
        SELECT people FROM incident WHERE team_id = :team_id AND id = n.id AND NOT blind OFFSET 0) i ON true
), kin AS (
    SELECT DISTINCT coalesce(i.family, p.incident_id) AS family
    FROM concerned c
    JOIN LATERAL (
        SELECT incident_id FROM incident_person WHERE team_id = :team_id AND person_id = c.id OFFSET 0) p ON true
    JOIN LATERAL (
        SELECT family FROM incident WHERE team_id = :team_id AND id = p.incident_id AND NOT blind OFFSET 0) i ON true
), member AS (
    SELECT id FROM named
    UNION
    SELECT family FROM kin
    UNION
    SELECT i.id FROM kin k
    JOIN LATERAL (
        SELECT id FROM incident WHERE team_id = :team_id AND family = k.family AND NOT blind OFFSET 0) i ON true
)
SELECT h.seq,
    (SELECT array_agg(id) FROM member) AS incidents,
    (SELECT array_agg(id) FROM concerned) AS people,
    (SELECT array_agg(row(a.alias, a.person_id, p.erased_at IS NULL))
     FROM unnest(:aliases::uuid[]) x
     JOIN person_alias a ON a.team_id = :team_id AND a.alias = x
     JOIN person p ON p.team_id = :team_id AND p.person_id = a.person_id) AS aliases
FROM log_head h WHERE h.team_id = :team_id

-- name: read
-- why: everything one append decides on, of the incidents that it concerns, in one round trip
SELECT h.seq, h.link, clock_timestamp() AS now,
    (SELECT array_agg(row(e.seq, e.id, e.belongs_to, e.kind, e.author, e.profession, e.device, e.received_at, e.skew_ms,
                          e.body, e.sealed, e.key_ref, e.notices, e.erased_at IS NOT NULL))
     FROM unnest(:ids::uuid[] || :targets::uuid[]) x
     JOIN LATERAL (SELECT * FROM entry WHERE team_id = :team_id AND id = x OFFSET 0) e ON true) AS held,
    (SELECT array_agg(row(e.*))
     FROM unnest(:incidents::uuid[]) x
     JOIN LATERAL (SELECT * FROM stored_entry WHERE team_id = :team_id AND incident_id = x OFFSET 0) e ON true) AS entries,
    (SELECT array_agg(row(i.id, i.blind, i.root, i.seq, i.duplicates, i.people, i.related, i.log_ref, i.occurred_at, i.area,
                          i.age_band, i.sex, i.family, i.status))
     FROM unnest(:incidents::uuid[]) x
     JOIN LATERAL (SELECT * FROM incident WHERE team_id = :team_id AND id = x OFFSET 0) i ON true) AS incidents,
    (SELECT array_agg(row(s.incident_id, s.staff_id, d.device_id, s.at))
     FROM unnest(:incidents::uuid[]) x
     JOIN LATERAL (SELECT * FROM intent_served WHERE team_id = :team_id AND incident_id = x OFFSET 0) s ON true
     LEFT JOIN LATERAL (SELECT device_id FROM device WHERE team_id = :team_id
                        AND coalesce(installation, device_id) = s.phone OFFSET 0) d ON true) AS served,
    (SELECT array_agg(x.n)
     FROM unnest(:devices::uuid[], :staff::uuid[], :stamps::bigint[]) WITH ORDINALITY x (device, staff, stamp, n)
     LEFT JOIN staff s ON s.team_id = :team_id AND s.staff_id = x.staff
     LEFT JOIN device d ON d.team_id = :team_id AND d.device_id = x.device
     WHERE s.stamp IS DISTINCT FROM x.stamp OR s.disabled_at IS NOT NULL OR d.revoked_at IS NOT NULL) AS stale,
    (SELECT array_agg(x)
     FROM unnest(:incidents::uuid[]) x
     JOIN LATERAL (SELECT FROM erased_incident WHERE team_id = :team_id AND incident_id = x OFFSET 0) g ON true) AS erased,
    (SELECT array_agg(row(l.since, l.until)) FROM lost_span l WHERE l.team_id = :team_id) AS lost,
    EXISTS (SELECT FROM unnest(:ids::uuid[]) x
            JOIN LATERAL (SELECT FROM entry WHERE team_id = :team_id AND names = x OFFSET 0) e ON true)
    OR EXISTS (SELECT FROM unnest(:incidents::uuid[]) x
               JOIN LATERAL (SELECT FROM incident WHERE team_id = :team_id AND family = x AND NOT blind OFFSET 0) i
               ON true) AS goes_on
FROM log_head h WHERE h.team_id = :team_id

-- name: lock_head
-- why: after a lost race the next appends queue for the head fairly instead of racing again
SELECT seq FROM log_head WHERE team_id = :team_id FOR UPDATE

-- name: append
-- why: the one compare-and-swap: the head moves only from where it was read, and with it every entry and incident row
WITH head AS (
    UPDATE log_head SET seq = :seq, link = :link WHERE team_id = :team_id AND seq = :seq_before AND link = :link_before
    RETURNING 1
), added AS (
    INSERT INTO entry SELECT e.* FROM head, json_populate_recordset(NULL::entry, :entries::json) e
), moved AS (
    UPDATE entry e SET belongs_to = m.belongs_to
    FROM head, unnest(:moved::uuid[], :moved_to::uuid[]) m (id, belongs_to)
    WHERE e.team_id = :team_id AND e.id = m.id
), folded AS (
    INSERT INTO incident SELECT i.* FROM head, json_populate_recordset(NULL::incident, :incidents::json) i
    ON CONFLICT (team_id, id, blind) DO UPDATE SET
        root = excluded.root, ids = excluded.ids, family = excluded.family, seq = excluded.seq, status = excluded.status,
        occurred_at = excluded.occurred_at, changed_at = excluded.changed_at, scope_until = excluded.scope_until,
        turns = excluded.turns, lead_turns = excluded.lead_turns, turns_last = excluded.turns_last,
        lead_unblinded_at = excluded.lead_unblinded_at, area = excluded.area, log_ref = excluded.log_ref,
        age_band = excluded.age_band, sex = excluded.sex, contact = excluded.contact, counts = excluded.counts,
        test = excluded.test, restricted = excluded.restricted, flags = excluded.flags, judged_by = excluded.judged_by,
        duplicates = excluded.duplicates, apart = excluded.apart, people = excluded.people, related = excluded.related
), held AS (
    -- an incident stands where it stood for readers from whom what was appended is hidden
    INSERT INTO audience_position AS p
    SELECT h.* FROM head, json_populate_recordset(NULL::audience_position, :positions::json) h
    ON CONFLICT (team_id, incident_id, side, lead) DO UPDATE SET
        seq = CASE WHEN p.row_seq = excluded.seq THEN p.seq ELSE excluded.seq END,
        scope_until = CASE WHEN p.row_seq = excluded.seq THEN p.scope_until ELSE excluded.scope_until END,
        row_seq = excluded.row_seq
), unlinked AS (
    DELETE FROM incident_person p USING head WHERE p.team_id = :team_id AND p.incident_id = ANY (:relinked::uuid[])
      AND NOT EXISTS (SELECT FROM unnest(:linked_people::uuid[], :linked_incidents::uuid[]) k (person, incident)
                      WHERE k.person = p.person_id AND k.incident = p.incident_id)
), linked AS (
    INSERT INTO incident_person (team_id, person_id, incident_id)
    SELECT :team_id, k.person, k.incident
    FROM head, unnest(:linked_people::uuid[], :linked_incidents::uuid[]) k (person, incident)
    ON CONFLICT DO NOTHING
), known AS (
    INSERT INTO intent_served (team_id, incident_id, staff_id, phone, at)
    SELECT :team_id, x.incident, x.staff,
        coalesce(d.installation, d.device_id, '00000000-0000-0000-0000-000000000000'), x.at
    FROM head, unnest(:known_incidents::uuid[], :known_by::uuid[], :known_on::uuid[], :known_at::timestamptz[])
         x (incident, staff, device, at)
    LEFT JOIN device d ON d.team_id = :team_id AND d.device_id = x.device
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM head

-- name: pair
-- why: a likely duplicate is a suggestion on both sides, so the other side's rows change with this append as well
UPDATE incident SET seq = :seq,
    duplicates = CASE WHEN :joins THEN array_append(array_remove(duplicates, :other), :other)
                      ELSE array_remove(duplicates, :other) END,
    flags = CASE WHEN NOT :joins AND cardinality(array_remove(duplicates, :other)) = 0
                 THEN array_remove(flags, 'possible_duplicate')
                 WHEN 'possible_duplicate' = ANY (flags) THEN flags
                 ELSE array_append(flags, 'possible_duplicate') END
WHERE team_id = :team_id AND id = :id

-- name: alike
-- why: likely duplicates of an incident: the same log reference on the day, or near in time and area; bounded
SELECT x.n::int AS n, c.*
FROM unnest(:roots::uuid[], :log_refs::text[], :occurred::timestamptz[], :areas::text[])
     WITH ORDINALITY x (root, log_ref, occurred_at, area, n)
JOIN LATERAL (
    (SELECT i.id, i.log_ref, i.occurred_at, i.area, i.age_band, i.sex, i.apart FROM incident i
     WHERE i.team_id = :team_id AND i.blind AND plain_ref(i.log_ref) = plain_ref(x.log_ref) AND i.id <> x.root
       AND i.contact AND NOT i.test AND i.status NOT IN ('absorbed', 'withdrawn')
       AND i.occurred_at BETWEEN x.occurred_at - interval '24 hours' AND x.occurred_at + interval '24 hours'
     LIMIT 4)
    UNION
    (SELECT i.id, i.log_ref, i.occurred_at, i.area, i.age_band, i.sex, i.apart FROM incident i
     WHERE i.team_id = :team_id AND i.blind AND i.id <> x.root AND i.area = x.area AND x.area <> 'unknown'
       AND i.contact AND NOT i.test AND i.status NOT IN ('absorbed', 'withdrawn')
       AND i.occurred_at BETWEEN x.occurred_at - interval '30 minutes' AND x.occurred_at + interval '30 minutes'
     ORDER BY i.occurred_at LIMIT 8)
) c ON true

-- name: walk
-- why: verification recomputes every link in order
SELECT team_id, seq, id, incident_id, kind, author, profession, role, device, received_at, skew_ms, blind, released_by,
       notices, body, sealed, sealed_digest, salt, link, key_ref, alias, test, received_again, erased_at
FROM entry WHERE team_id = :team_id AND seq > :after ORDER BY seq LIMIT :most

-- name: lost_spans
-- why: verification recomputes what was received again
SELECT since, until FROM lost_span WHERE team_id = :team_id ORDER BY until

-- name: head
-- why: where the log stands
SELECT seq AS position, link FROM log_head WHERE team_id = :team_id

-- name: corrections
-- why: verification recomputes to which incident each correction belongs, from the entries it names
SELECT e.seq, e.id, e.incident_id, e.belongs_to, e.names, e.author, e.role, e.profession,
       (CASE e.kind WHEN 'amendment' THEN convert_from(e.body, 'UTF8')::json ->> 'amends'
                    WHEN 'withdrawal' THEN convert_from(e.body, 'UTF8')::json ->> 'withdraws' END)::uuid AS said
FROM entry e
WHERE e.team_id = :team_id AND e.seq <= :head
  AND (e.names IS NOT NULL OR e.kind IN ('amendment', 'withdrawal')
       OR EXISTS (SELECT FROM entry c WHERE c.team_id = :team_id AND c.seq <= :head AND c.names = e.id))
ORDER BY e.seq
