-- name: connected
-- why: every entry of every incident that a statement ever connected with this one, in the log's order
SELECT e.*
FROM incident i
JOIN incident o ON o.team_id = i.team_id AND NOT o.blind AND coalesce(i.family, i.id) IN (o.id, o.family)
JOIN stored_entry e ON e.team_id = o.team_id AND e.incident_id = o.id
WHERE i.team_id = :team_id AND i.id = :incident_id AND NOT i.blind ORDER BY e.seq

-- name: of_person
-- why: whose other incidents were counted together with this one
SELECT incident_id FROM incident_person WHERE team_id = :team_id AND person_id = :person_id

-- name: told
-- why: editions and releases cut between two positions whose period reaches one of these incidents, and whom they reached;
-- a daily or weekly looks back 28 days, a monthly 90 for contacts of the same person, the others pool 12 months
WITH met AS (
    SELECT DISTINCT occurred_at AS at FROM incident WHERE team_id = :team_id AND id = ANY (:incidents::uuid[]) AND NOT blind
), edition AS (
    SELECT e.kind, e.period, e.form, e.edition, e.as_at_seq, e.published_at, r.starts_at, r.ends_at,
           lead(e.published_at) OVER (PARTITION BY e.kind, e.period, e.form ORDER BY e.edition) AS replaced_at
    FROM summary_edition e JOIN summary_run r USING (team_id, kind, period, form) WHERE e.team_id = :team_id
), touched AS (
    SELECT e.*, format('%s %s edition %s, %s', e.kind, e.period, e.edition, e.form) AS what FROM edition e
    WHERE e.as_at_seq >= :since AND e.as_at_seq < :until AND EXISTS (
        SELECT FROM met WHERE met.at < e.ends_at AND met.at >= e.starts_at - CASE
            WHEN e.kind IN ('daily', 'weekly') THEN interval '28 days'
            WHEN e.kind = 'monthly' THEN interval '90 days' ELSE interval '1 year' END)
), cut AS (
    SELECT l.dataset, l.period, l.edition FROM release l
    WHERE l.team_id = :team_id AND l.as_at_seq >= :since AND l.as_at_seq < :until
      AND EXISTS (SELECT FROM met WHERE met.at >= l.first_day AND met.at < l.cut_off)
)
SELECT o.delivered_at AS at, t.what, d.channel AS how, d.address AS who, NULL::text AS role
FROM touched t
JOIN outbox o ON o.team_id = :team_id AND o.delivered_at IS NOT NULL
    AND o.key = format('summary %s %s %s %s', t.kind, t.period, t.form, t.edition)
JOIN destination d ON d.team_id = o.team_id AND d.destination_id = o.destination_id
UNION ALL
SELECT max(a.at), t.what, 'read', coalesce(s.name, p.name, a.actor::text), a.role
FROM touched t
JOIN audit a ON a.team_id = :team_id AND a.operation IN ('consultation', 'disclosure') AND a.at >= t.published_at
    AND (t.replaced_at IS NULL OR a.at < t.replaced_at)
    AND (a.query = format('summary %s %s %s', t.kind, t.period, t.form)
         OR t.form = 'internal' AND a.query = 'review/trends ' || t.kind)
LEFT JOIN staff s ON s.team_id = a.team_id AND s.staff_id = a.actor
LEFT JOIN partner p ON p.team_id = a.team_id AND p.partner_id = a.actor
GROUP BY t.what, s.name, p.name, a.actor, a.role
UNION ALL
SELECT max(l.at), format('%s %s edition %s', c.dataset, c.period, c.edition), 'pull', p.name, 'partner'
FROM cut c
JOIN ledger l ON l.team_id = :team_id AND l.dataset = c.dataset AND l.period = c.period AND l.edition = c.edition
JOIN partner p ON p.team_id = l.team_id AND p.partner_id = l.partner_id
GROUP BY c.dataset, c.period, c.edition, p.name
