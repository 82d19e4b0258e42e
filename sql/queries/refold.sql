-- name: list_incidents
-- why: every incident that stands for itself, page by page along the primary key
SELECT id FROM incident WHERE team_id = :team_id AND NOT blind AND root = id AND id > :after ORDER BY id LIMIT :most

-- name: count
-- why: what the bar on the terminal counts towards
SELECT count(*) FROM incident WHERE team_id = :team_id AND NOT blind AND root = id

-- name: store
-- why: what a row says of its incident is replaced; its place in the log stays, and a scope that an erasure ended stays ended.
-- Phones are told as of any change by time, a minute from now, so that no pull that runs meanwhile passes it by
INSERT INTO incident AS i SELECT r.* FROM json_populate_recordset(NULL::incident, :incidents::json) r
ON CONFLICT (team_id, id, blind) DO UPDATE SET
    status = excluded.status, occurred_at = excluded.occurred_at,
    scope_until = CASE WHEN i.status = excluded.status THEN i.scope_until ELSE excluded.scope_until END,
    turns = excluded.turns || (now() + interval '1 minute'), lead_turns = excluded.lead_turns || (now() + interval '1 minute'),
    turns_last = greatest(excluded.turns_last, now() + interval '1 minute'),
    lead_unblinded_at = excluded.lead_unblinded_at, area = excluded.area, log_ref = excluded.log_ref,
    age_band = excluded.age_band, sex = excluded.sex, contact = excluded.contact, counts = excluded.counts,
    test = excluded.test, restricted = excluded.restricted, flags = excluded.flags, judged_by = excluded.judged_by,
    related = excluded.related
