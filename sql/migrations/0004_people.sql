-- Erasures, legal holds, retention, and the regime that an incident is processed under.

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

-- Incidents whose texts were destroyed as a whole: nothing new is taken for them.
CREATE TABLE erased_incident (
    team_id uuid NOT NULL REFERENCES team,
    incident_id uuid NOT NULL,
    PRIMARY KEY (team_id, incident_id)
);
CREATE TRIGGER erased_incident_final BEFORE UPDATE OR DELETE ON erased_incident
    FOR EACH ROW EXECUTE FUNCTION table_is_final();

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

-- What must not be destroyed: an incident under a hold in force, given under any of its ids, or one of somebody who died
-- whose hold nobody has lifted.
CREATE FUNCTION is_held(of_team uuid, of_root uuid) RETURNS boolean LANGUAGE sql STABLE
    RETURN EXISTS (
        SELECT FROM incident i JOIN legal_hold h ON h.team_id = i.team_id AND h.incident_id = i.id
        WHERE i.team_id = of_team AND i.root = of_root AND NOT i.blind AND h.lifted_at IS NULL
    ) OR EXISTS (
        SELECT FROM incident i WHERE i.team_id = of_team AND i.id = of_root AND NOT i.blind AND i.restricted
    ) AND NOT EXISTS (
        SELECT FROM incident i JOIN legal_hold h ON h.team_id = i.team_id AND h.incident_id = i.id
        WHERE i.team_id = of_team AND i.root = of_root AND NOT i.blind
    );

-- What the daily job found past its period, and whether it did something about it: one row a team and day.
CREATE TABLE retention_run (
    team_id uuid NOT NULL REFERENCES team,
    day date NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    applied boolean NOT NULL,
    found text NOT NULL,
    PRIMARY KEY (team_id, day)
);

-- Data Protection Act 2018 part 3, the UK GDPR, or both. Only ever added to: the latest counts, and without one both do.
CREATE TABLE incident_regime (
    team_id uuid NOT NULL REFERENCES team,
    incident_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    regime text NOT NULL CHECK (regime IN ('general', 'law_enforcement', 'both')),
    reason text NOT NULL CHECK (reason <> '' AND length(reason) <= 200),
    by text NOT NULL CHECK (by <> '' AND length(by) <= 200),
    PRIMARY KEY (team_id, incident_id, at)
);

CREATE TRIGGER retention_run_final BEFORE UPDATE OR DELETE ON retention_run
    FOR EACH ROW EXECUTE FUNCTION table_is_final();
CREATE TRIGGER incident_regime_final BEFORE UPDATE OR DELETE ON incident_regime
    FOR EACH ROW EXECUTE FUNCTION table_is_final();

-- ---------------------------------------------------------------- who may do what

CALL isolate_by_team(true, 'erasure', 'erased_incident', 'legal_hold', 'retention_run', 'incident_regime');

GRANT SELECT ON erased_incident TO triage_service;
