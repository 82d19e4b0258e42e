-- People, the sealed audit, erasures, legal holds and retention.

-- Two more roles of the cluster: who seals the audit, and nobody else may read or change its links.
DO $$
DECLARE wanted text;
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'triage_sealer') THEN
            CREATE ROLE triage_sealer NOLOGIN;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    FOREACH wanted IN ARRAY ARRAY['triage_auditor', 'triage_sealer'] LOOP
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
           AND NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO triage_sealer;

-- ---------------------------------------------------------------- people

-- Somebody whom incidents may concern. What is known of the person is sealed under a key of its own; after an erasure the
-- row stays as what entries point at, with nothing in it.
CREATE TABLE person (
    team_id uuid NOT NULL REFERENCES team,
    person_id uuid NOT NULL,
    sealed bytea,
    key_ref uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz,
    PRIMARY KEY (team_id, person_id),
    CHECK ((sealed IS NULL) = (key_ref IS NULL)),
    CHECK ((sealed IS NULL) = (erased_at IS NOT NULL))
);

-- By what a person is found: keyed digests of normalised values, never the values.
CREATE TABLE person_identifier (
    team_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    kind text NOT NULL CHECK (kind IN ('nhs_number', 'police_ref', 'name_and_birth')),
    person_id uuid NOT NULL,
    PRIMARY KEY (team_id, digest),
    FOREIGN KEY (team_id, person_id) REFERENCES person
);
-- An NHS number is the health side's and a police reference the police's: nobody holds both, whatever a program does.
CREATE UNIQUE INDEX person_identifier_side ON person_identifier (team_id, person_id)
    WHERE kind IN ('nhs_number', 'police_ref');
CREATE UNIQUE INDEX person_identifier_once ON person_identifier (team_id, person_id, kind);

-- ---------------------------------------------------------------- audit

-- Its place in the chain is given when a row is sealed: rows commit in another order than they are numbered.
ALTER TABLE audit ADD COLUMN position bigint;
ALTER TABLE audit ADD COLUMN recipient text;
ALTER TABLE audit ADD COLUMN detail text;

-- Where the chain of a team's audit stands, and where what is kept of it begins.
CREATE TABLE audit_head (
    team_id uuid PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    link bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(link) = 32),
    from_position bigint NOT NULL DEFAULT 0,
    from_link bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(from_link) = 32)
);

-- A partition a month. Rows that came before their month had one move into it.
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
DECLARE month date;
BEGIN
    ALTER TABLE audit NO FORCE ROW LEVEL SECURITY;
    ALTER TABLE audit DETACH PARTITION audit_rest;
    FOR month IN
        SELECT DISTINCT date_trunc('month', at AT TIME ZONE 'UTC')::date FROM audit_rest
        UNION
        SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => n))::date FROM generate_series(0, 2) n
    LOOP
        PERFORM add_audit_month(month);
    END LOOP;
    INSERT INTO audit (team_id, id, at, operation, actor, role, device, query, ids)
        OVERRIDING SYSTEM VALUE
        SELECT team_id, id, at, operation, actor, role, device, query, ids FROM audit_rest;
    DROP TABLE audit_rest;
    CREATE TABLE audit_rest PARTITION OF audit DEFAULT;
    ALTER TABLE audit FORCE ROW LEVEL SECURITY;
END $$;

-- the table is small and new partitions get it from their first row on
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX audit_unsealed ON audit (team_id, at, id) WHERE link IS NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX audit_position ON audit (team_id, position) WHERE position IS NOT NULL;

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
DROP POLICY own_team ON audit;
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
GRANT SELECT (team_id, seq, id, incident_id, kind, author, role, device, received_at, link) ON entry TO triage_auditor;
GRANT SELECT (team_id, id, root, blind) ON incident TO triage_auditor;
GRANT SELECT ON incident_person TO triage_auditor;

-- ---------------------------------------------------------------- erasure, holds, retention

-- The receipt of an erasure: who and when, and not what.
CREATE TABLE erasure (
    team_id uuid NOT NULL REFERENCES team,
    id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    by text NOT NULL CHECK (by <> '' AND length(by) <= 200),
    PRIMARY KEY (team_id, id)
);
CREATE TRIGGER erasure_final BEFORE UPDATE OR DELETE ON erasure FOR EACH ROW EXECUTE FUNCTION table_is_final();

-- What must not be destroyed: until somebody lifts it. A death is a hold by itself, see incident.restricted.
CREATE TABLE legal_hold (
    team_id uuid NOT NULL REFERENCES team,
    incident_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason <> '' AND length(reason) <= 200),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    lifted_at timestamptz,
    PRIMARY KEY (team_id, incident_id, at)
);

-- How long each part is kept. Data of the owner, not code: every period is a default to be settled.
CREATE TABLE retention (
    part text PRIMARY KEY CHECK (part IN ('police', 'health', 'person', 'quarantine', 'audit')),
    months int NOT NULL CHECK (months > 0),
    afterwards text NOT NULL CHECK (afterwards IN ('review', 'destroy')),
    applied boolean NOT NULL DEFAULT false,
    source text NOT NULL,
    review_on date NOT NULL
);
INSERT INTO retention (part, months, afterwards, applied, source, review_on) VALUES
    ('police', 72, 'review', false, 'management of police information; to be settled by the force', '2027-11-01'),
    ('health', 240, 'review', false, 'mental health records; to be confirmed with the trust', '2027-11-01'),
    ('person', 24, 'destroy', false, 'proportionate to repeat-contact care', '2027-11-01'),
    ('quarantine', 1, 'destroy', true, 'TRIAGE_QUARANTINE_DAYS decides the days', '2027-11-01'),
    ('audit', 72, 'review', false, 'to be settled by the owner', '2027-11-01');

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['person', 'person_identifier', 'erasure', 'legal_hold'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_team ON %I USING (team_id = current_team()) WITH CHECK (team_id = current_team())', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT ON person, person_identifier TO triage_service;
GRANT UPDATE (sealed, key_ref) ON person TO triage_service;

-- Staff of an issuer, before a team is known.
CREATE FUNCTION authenticate_subject(of_issuer text, of_subject text)
    RETURNS TABLE (team_id uuid, staff_id uuid, partner_id uuid, device_id uuid, role text, profession text, side text,
                   level text, verbs text[], stamp bigint, disabled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.team_id, s.staff_id, NULL::uuid, NULL::uuid, s.role, s.profession, r.side, r.level, r.verbs, s.stamp,
           s.disabled_at IS NOT NULL
    FROM staff s JOIN role r USING (role) WHERE s.issuer = of_issuer AND s.subject = of_subject
$$;
REVOKE EXECUTE ON FUNCTION authenticate_subject(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate_subject(text, text) TO triage_service;
