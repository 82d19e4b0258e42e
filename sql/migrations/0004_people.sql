-- People, erasures, legal holds, retention, and the regime that an incident is processed under.

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

CALL isolate_by_team(true, 'person', 'person_identifier', 'erasure', 'legal_hold', 'retention_run', 'incident_regime');

GRANT SELECT, INSERT ON person, person_identifier TO triage_service;
GRANT UPDATE (sealed, key_ref) ON person TO triage_service;
