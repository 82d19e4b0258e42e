-- The audit: who did what to which records, chained and partitioned by month.

-- Data Protection Act 2018 s62. A row's place in the chain is given when it is sealed: rows commit in another order than they
-- are numbered.
CREATE TABLE audit (
    team_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    operation text NOT NULL CHECK (operation IN
        ('collection', 'alteration', 'consultation', 'disclosure', 'combination', 'erasure', 'refusal', 'access')),
    actor uuid,
    role text,
    device uuid,
    query text NOT NULL,
    ids uuid[] NOT NULL DEFAULT '{}',
    recipient text,
    detail text,
    position bigint,
    link bytea,
    PRIMARY KEY (team_id, at, id)
) PARTITION BY RANGE (at);
CREATE TABLE audit_rest PARTITION OF audit DEFAULT;
CREATE INDEX audit_unsealed ON audit (team_id, at, id) WHERE link IS NULL;
CREATE INDEX audit_position ON audit (team_id, position) WHERE position IS NOT NULL;

-- Where the chain of a team's audit stands, and where what is kept of it begins.
CREATE TABLE audit_head (
    team_id uuid PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    link bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(link) = 32),
    from_position bigint NOT NULL DEFAULT 0,
    from_link bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(from_link) = 32)
);

-- A partition a month, made before the month begins.
CREATE FUNCTION add_audit_month(of_month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', of_month)::date;
    name text := format('audit_%s', to_char(first, 'YYYY_MM'));
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('triage/audit_month'));
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF audit FOR VALUES FROM (%L) TO (%L)', name,
                   first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month')::timestamp AT TIME ZONE 'UTC');
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION add_audit_month(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_audit_month(date) TO triage_sealer;

DO $$
BEGIN
    FOR n IN 0..2 LOOP
        PERFORM add_audit_month((date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => n))::date);
    END LOOP;
END $$;

-- Sealing sets place and link, once; nothing else of a row ever changes. What is older than its retention goes by partition.
CREATE FUNCTION audit_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.link IS NULL AND NEW.link IS NOT NULL AND NEW.position IS NOT NULL
       AND (to_jsonb(NEW) - 'link' - 'position') = (to_jsonb(OLD) - 'link' - 'position') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'audit rows are only ever added' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER audit_final BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_final();

-- What could be seen of nobody's team, such as a token that is nobody's, is kept under the team of all zeros.
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY own_team ON audit
    USING (team_id IN (current_team(), '00000000-0000-0000-0000-000000000000'))
    WITH CHECK (team_id IN (current_team(), '00000000-0000-0000-0000-000000000000'));
CREATE POLICY sealing ON audit TO triage_sealer USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE (link, position) ON audit TO triage_sealer;
GRANT SELECT, INSERT, UPDATE (position, link) ON audit_head TO triage_sealer;

-- Every operation on every record: entries are the record of their own collection, alteration and combination.
CREATE VIEW audit_trail WITH (security_invoker = true) AS
    SELECT team_id, at, operation, actor, role, device, query, ids, recipient, detail, id AS n, link
    FROM audit
    UNION ALL
    SELECT team_id, received_at,
           CASE WHEN kind IN ('amendment', 'withdrawal', 'regime') THEN 'alteration'
                WHEN kind IN ('same_incident', 'not_same_incident', 'person_link', 'person_unlink') THEN 'combination'
                WHEN kind = 'erasure' THEN 'erasure'
                ELSE 'collection' END,
           author, role, device, 'entry/' || kind, ARRAY[incident_id, id], NULL, NULL, seq, link
    FROM entry;
GRANT SELECT ON audit_trail TO triage_auditor;
GRANT INSERT ON audit TO triage_service;
GRANT SELECT ON audit TO triage_auditor;
GRANT SELECT (team_id, seq, id, incident_id, belongs_to, test, kind, author, role, device, received_at, link) ON entry
    TO triage_auditor;
GRANT SELECT (team_id, id, root, blind) ON incident TO triage_auditor;
GRANT SELECT ON incident_person, person_alias TO triage_auditor;

