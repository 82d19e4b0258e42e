-- name: read
-- why: everything one append decides on, in one round trip: the families of the incidents named, and those of every other
-- incident of their people, whose grades may move; unnest with lateral keeps the indexes in use on a fresh table
WITH touched AS (
    SELECT DISTINCT coalesce(i.family, x) AS family
    FROM unnest($3::uuid[]) x
    LEFT JOIN LATERAL (SELECT family FROM incident WHERE team_id = $1 AND id = x AND NOT blind OFFSET 0) i ON true
), named AS (
    SELECT family AS id FROM touched
    UNION
    SELECT i.id FROM touched t
    JOIN LATERAL (SELECT id FROM incident WHERE team_id = $1 AND family = t.family AND NOT blind OFFSET 0) i ON true
), person AS (
    SELECT unnest($7::uuid[]) AS id
    UNION
    SELECT unnest(i.people) FROM named n
    JOIN LATERAL (SELECT people FROM incident WHERE team_id = $1 AND id = n.id AND NOT blind OFFSET 0) i ON true
), kin AS (
    SELECT DISTINCT coalesce(i.family, p.incident_id) AS family
    FROM person
    JOIN LATERAL (SELECT incident_id FROM incident_person WHERE team_id = $1 AND person_id = person.id OFFSET 0) p ON true
    JOIN LATERAL (SELECT family FROM incident WHERE team_id = $1 AND id = p.incident_id AND NOT blind OFFSET 0) i ON true
), member AS (
    SELECT id FROM named
    UNION
    SELECT family FROM kin
    UNION
    SELECT i.id FROM kin k
    JOIN LATERAL (SELECT id FROM incident WHERE team_id = $1 AND family = k.family AND NOT blind OFFSET 0) i ON true
)
SELECT h.seq, h.link, clock_timestamp() AS now,
    (SELECT array_agg(row(e.seq, e.id, e.incident_id, e.kind, e.author, e.profession, e.device, e.received_at, e.skew_ms,
                          e.body, e.sealed, e.key_ref, e.notices, e.erased_at IS NOT NULL))
     FROM unnest($2::uuid[]) x
     JOIN LATERAL (SELECT * FROM entry WHERE team_id = $1 AND id = x OFFSET 0) e ON true) AS held,
    (SELECT array_agg(row(e.seq, e.id, e.incident_id, e.received_at, e.author, e.profession, e.role, e.device, e.skew_ms,
                          e.blind, e.released_by, e.body))
     FROM member m
     JOIN LATERAL (SELECT * FROM entry WHERE team_id = $1 AND incident_id = m.id OFFSET 0) e ON true) AS entries,
    (SELECT array_agg(row(i.id, i.blind, i.root, i.seq, i.duplicates, i.people, i.related, i.log_ref, i.occurred_at, i.area,
                          i.age_band, i.sex, i.family, i.status))
     FROM member m
     JOIN LATERAL (SELECT * FROM incident WHERE team_id = $1 AND id = m.id OFFSET 0) i ON true) AS incidents,
    (SELECT array_agg(row(d.incident_id, d.staff_id, d.device_id))
     FROM member m JOIN intent_disclosure d ON d.team_id = $1 AND d.incident_id = m.id) AS told,
    (SELECT array_agg(x.n)
     FROM unnest($4::uuid[], $5::uuid[], $6::bigint[]) WITH ORDINALITY x (device, staff, stamp, n)
     LEFT JOIN staff s ON s.team_id = $1 AND s.staff_id = x.staff
     LEFT JOIN device d ON d.team_id = $1 AND d.device_id = x.device
     WHERE s.stamp IS DISTINCT FROM x.stamp OR s.disabled_at IS NOT NULL OR d.revoked_at IS NOT NULL) AS stale,
    (SELECT array_agg(id) FROM person) AS people
FROM log_head h WHERE h.team_id = $1

-- name: lock_head
-- why: after a lost race the next appends queue for the head fairly instead of racing again
SELECT seq FROM log_head WHERE team_id = $1 FOR UPDATE

-- name: append
-- why: the one compare-and-swap: the head moves only from where it was read, and with it every entry and incident row
WITH head AS (
    UPDATE log_head SET seq = $2, link = $3 WHERE team_id = $1 AND seq = $4 AND link = $5 RETURNING 1
), added AS (
    INSERT INTO entry (team_id, seq, id, incident_id, kind, author, profession, role, device, received_at, skew_ms, blind,
                       released_by, body, sealed, sealed_digest, key_ref, salt, link, notices)
    SELECT $1, e.seq, e.id, e.incident_id, e.kind, e.author, e.profession, e.role, e.device, e.received_at, e.skew_ms, e.blind,
           e.released_by, e.body, e.sealed, e.sealed_digest, e.key_ref, e.salt, e.link, e.notices
    FROM head, json_populate_recordset(NULL::entry, $6::json) e
), folded AS (
    INSERT INTO incident (team_id, id, blind, root, ids, family, seq, status, occurred_at, changed_at, scope_until, turns, turns_last, area,
                          log_ref, age_band, sex, contact, test, restricted, flags, judged_by, duplicates, apart, people, related)
    SELECT $1, i.id, i.blind, i.root, i.ids, i.family, i.seq, i.status, i.occurred_at, i.changed_at, i.scope_until, i.turns, i.turns_last,
           i.area, i.log_ref, i.age_band, i.sex, i.contact, i.test, i.restricted, i.flags, i.judged_by, i.duplicates, i.apart,
           i.people, i.related
    FROM head, json_populate_recordset(NULL::incident, $7::json) i
    ON CONFLICT (team_id, id, blind) DO UPDATE SET
        root = excluded.root, ids = excluded.ids, family = excluded.family, seq = excluded.seq, status = excluded.status, occurred_at = excluded.occurred_at,
        changed_at = excluded.changed_at, scope_until = excluded.scope_until, turns = excluded.turns,
        turns_last = excluded.turns_last, area = excluded.area, log_ref = excluded.log_ref, age_band = excluded.age_band,
        sex = excluded.sex, contact = excluded.contact, test = excluded.test, restricted = excluded.restricted,
        flags = excluded.flags, judged_by = excluded.judged_by, duplicates = excluded.duplicates, apart = excluded.apart,
        people = excluded.people, related = excluded.related
), unlinked AS (
    DELETE FROM incident_person p USING head WHERE p.team_id = $1 AND p.incident_id = ANY ($8::uuid[])
      AND NOT EXISTS (SELECT FROM unnest($9::uuid[], $10::uuid[]) k (person, incident)
                      WHERE k.person = p.person_id AND k.incident = p.incident_id)
), linked AS (
    INSERT INTO incident_person (team_id, person_id, incident_id)
    SELECT $1, k.person, k.incident FROM head, unnest($9::uuid[], $10::uuid[]) k (person, incident)
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM head

-- name: pair
-- why: a likely duplicate is a suggestion on both sides, so the other side's rows change with this append as well
UPDATE incident SET seq = $2,
    duplicates = CASE WHEN $5 THEN array_append(array_remove(duplicates, $4), $4) ELSE array_remove(duplicates, $4) END,
    flags = CASE WHEN NOT $5 AND cardinality(array_remove(duplicates, $4)) = 0 THEN array_remove(flags, 'possible_duplicate')
                 WHEN 'possible_duplicate' = ANY (flags) THEN flags
                 ELSE array_append(flags, 'possible_duplicate') END
WHERE team_id = $1 AND id = $3

-- name: alike
-- why: likely duplicates of an incident: the same log reference on the day, or near in time and area; bounded
SELECT x.n::int AS n, c.*
FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::text[]) WITH ORDINALITY x (root, log_ref, occurred_at, area, n)
JOIN LATERAL (
    (SELECT i.id, i.log_ref, i.occurred_at, i.area, i.age_band, i.sex, i.apart FROM incident i
     WHERE i.team_id = $1 AND i.blind AND i.log_ref = x.log_ref AND i.id <> x.root
       AND i.contact AND NOT i.test AND i.status NOT IN ('absorbed', 'withdrawn')
       AND i.occurred_at BETWEEN x.occurred_at - interval '24 hours' AND x.occurred_at + interval '24 hours'
     LIMIT 4)
    UNION
    (SELECT i.id, i.log_ref, i.occurred_at, i.area, i.age_band, i.sex, i.apart FROM incident i
     WHERE i.team_id = $1 AND i.blind AND i.id <> x.root AND i.area = x.area AND x.area <> 'unknown'
       AND i.contact AND NOT i.test AND i.status NOT IN ('absorbed', 'withdrawn')
       AND i.occurred_at BETWEEN x.occurred_at - interval '30 minutes' AND x.occurred_at + interval '30 minutes'
     ORDER BY i.occurred_at LIMIT 8)
) c ON true

-- name: walk
-- why: verification recomputes every link in order
SELECT seq, id, incident_id, kind, author, profession, role, device, received_at, skew_ms, blind, released_by, body, sealed,
       sealed_digest, salt, link, erased_at
FROM entry WHERE team_id = $1 AND seq > $2 ORDER BY seq LIMIT $3

-- name: head
-- why: where the log stands
SELECT seq, link FROM log_head WHERE team_id = $1
