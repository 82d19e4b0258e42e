-- Exports: agreements, frozen releases and their rendered files, and the ledger of pulls. What is frozen is only ever
-- added to; a release that has to go is marked withdrawn, as a whole, by the owner of the database alone.

CREATE TABLE agreement (
    team_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    datasets text[] NOT NULL CHECK (datasets <> '{}' AND datasets <@ ARRAY['records', 'tables']),
    -- of record files; tables are the same for everybody
    columns text[] NOT NULL,
    areas text[] NOT NULL,
    purpose text NOT NULL CHECK (purpose <> '' AND length(purpose) <= 500),
    contact text NOT NULL CHECK (contact <> '' AND length(contact) <= 200),
    signed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > signed_at),
    revoked_at timestamptz,
    PRIMARY KEY (team_id, agreement_id),
    UNIQUE (agreement_id),
    FOREIGN KEY (team_id, partner_id) REFERENCES partner,
    CHECK (NOT 'records' = ANY (datasets) OR (columns <> '{}' AND areas <> '{}'))
);
-- An address names no agreement: a partner has at most one in force for a dataset.
CREATE UNIQUE INDEX agreement_for_records ON agreement (team_id, partner_id)
    WHERE revoked_at IS NULL AND 'records' = ANY (datasets);
CREATE UNIQUE INDEX agreement_for_tables ON agreement (team_id, partner_id)
    WHERE revoked_at IS NULL AND 'tables' = ANY (datasets);

-- How often record files are cut, decided once for a financial year, so that there are never two cadences at once.
CREATE TABLE release_cadence (
    team_id uuid NOT NULL REFERENCES team,
    financial_year int NOT NULL,
    cadence text NOT NULL CHECK (cadence IN ('monthly', 'quarterly', 'half_yearly', 'yearly')),
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, financial_year)
);

-- How far published tables were looked at for a further edition.
CREATE TABLE release_looked (
    team_id uuid NOT NULL REFERENCES team,
    period text NOT NULL,
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, period)
);

CREATE TABLE release (
    team_id uuid NOT NULL REFERENCES team,
    release_id uuid NOT NULL,
    dataset text NOT NULL CHECK (dataset IN ('records', 'tables')),
    period text NOT NULL,
    edition int NOT NULL CHECK (edition > 0),
    policy text NOT NULL,
    first_day date NOT NULL,
    cut_off timestamptz NOT NULL,
    released_at timestamptz NOT NULL,
    -- the position in the log at the cut-off; it never leaves
    as_at_seq bigint NOT NULL CHECK (as_at_seq >= 0),
    -- of what is frozen: the rows of a record file, or the cells and members of tables
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    body bytea NOT NULL,
    withdrawn_at timestamptz,
    withdrawn_because text CHECK (withdrawn_because <> ''),
    PRIMARY KEY (team_id, release_id),
    UNIQUE (team_id, dataset, period, edition),
    CHECK ((withdrawn_at IS NULL) = (withdrawn_because IS NULL))
);

-- Every incident that a record file has decided: released under a number, or withheld for good (number is null). Without
-- a foreign key to the release, which would be checked once for each of a million rows that one statement copies.
CREATE TABLE release_row (
    team_id uuid NOT NULL,
    release_id uuid NOT NULL,
    policy text NOT NULL,
    incident_id uuid NOT NULL,
    person_id uuid,
    number int CHECK (number >= 0),
    grouped int CHECK (grouped >= 0),
    -- the published classes in the order of the columns; no class holds a comma
    classes text,
    -- each incident is released exactly once
    PRIMARY KEY (team_id, policy, incident_id),
    CHECK (num_nulls(number, grouped, classes) IN (0, 3))
);
CREATE UNIQUE INDEX release_row_number ON release_row (team_id, release_id, number);

-- A release as one agreement gets it, rendered once.
CREATE TABLE rendering (
    team_id uuid NOT NULL,
    release_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    manifest bytea NOT NULL,
    rendered_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, release_id, agreement_id),
    FOREIGN KEY (team_id, release_id) REFERENCES release,
    FOREIGN KEY (team_id, agreement_id) REFERENCES agreement
);

CREATE TABLE rendered_file (
    team_id uuid NOT NULL,
    release_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    name text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL CHECK (bytes >= 0),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    rows int NOT NULL CHECK (rows >= 0),
    PRIMARY KEY (team_id, release_id, agreement_id, name),
    FOREIGN KEY (team_id, release_id, agreement_id) REFERENCES rendering
);

-- The bytes in pieces, so that serving holds one piece in memory, whatever the size of the file.
CREATE TABLE rendered_chunk (
    team_id uuid NOT NULL,
    release_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    name text NOT NULL,
    n int NOT NULL CHECK (n >= 0),
    body bytea NOT NULL CHECK (octet_length(body) > 0),
    PRIMARY KEY (team_id, release_id, agreement_id, name, n),
    FOREIGN KEY (team_id, release_id, agreement_id, name) REFERENCES rendered_file
);
-- unpacked with every pull, packed once: not worth it
ALTER TABLE rendered_chunk ALTER COLUMN body SET STORAGE EXTERNAL;

-- ---------------------------------------------------------------- the ledger of pulls

CREATE TABLE ledger_head (
    team_id uuid PRIMARY KEY REFERENCES team,
    n bigint NOT NULL DEFAULT 0 CHECK (n >= 0),
    at timestamptz NOT NULL DEFAULT '-infinity',
    link bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(link) = 32)
);

-- Links hold all of a row: H(previous link || content).
CREATE TABLE ledger (
    team_id uuid NOT NULL,
    n bigint NOT NULL CHECK (n > 0),
    at timestamptz NOT NULL,
    partner_id uuid NOT NULL,
    agreement_id uuid NOT NULL,
    purpose text NOT NULL,
    dataset text NOT NULL,
    period text NOT NULL,
    edition int NOT NULL,
    file text NOT NULL,
    columns text[] NOT NULL,
    areas text[] NOT NULL,
    part text NOT NULL,
    rows int NOT NULL,
    sha256 bytea NOT NULL,
    link bytea NOT NULL CHECK (octet_length(link) = 32),
    PRIMARY KEY (team_id, n)
);
CREATE INDEX ledger_partner ON ledger (team_id, partner_id, at);

-- ---------------------------------------------------------------- what is frozen stays

CREATE FUNCTION release_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.withdrawn_at IS NULL AND NEW.withdrawn_at IS NOT NULL
       AND (to_jsonb(NEW) - 'withdrawn_at' - 'withdrawn_because')
         = (to_jsonb(OLD) - 'withdrawn_at' - 'withdrawn_because') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a release is frozen; it can only be withdrawn as a whole'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER release_final BEFORE UPDATE OR DELETE ON release FOR EACH ROW EXECUTE FUNCTION release_is_final();

CREATE FUNCTION agreement_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL
       AND (to_jsonb(NEW) - 'revoked_at') = (to_jsonb(OLD) - 'revoked_at') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an agreement is signed once; it can only be revoked'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER agreement_final BEFORE UPDATE OR DELETE ON agreement FOR EACH ROW EXECUTE FUNCTION agreement_is_final();

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['release_row', 'rendering', 'rendered_file', 'rendered_chunk', 'ledger', 'release_cadence'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION table_is_final()', t || '_final', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['release', 'agreement', 'release_row', 'rendering', 'rendered_file', 'rendered_chunk',
                             'ledger', 'release_cadence'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I
                        FOR EACH STATEMENT EXECUTE FUNCTION table_is_final()', t || '_kept', t);
    END LOOP;
END $$;

CALL isolate_by_team(true, 'agreement', 'release_cadence', 'release_looked', 'release', 'release_row', 'rendering',
                     'rendered_file', 'rendered_chunk', 'ledger_head', 'ledger');

GRANT SELECT, INSERT ON release_cadence, release, release_row, rendering, rendered_file, rendered_chunk, ledger
    TO triage_service;
GRANT SELECT, INSERT, UPDATE ON release_looked TO triage_service;
GRANT SELECT ON agreement TO triage_service;
GRANT SELECT, INSERT ON ledger_head TO triage_service;
GRANT UPDATE (n, at, link) ON ledger_head TO triage_service;
GRANT SELECT ON ledger, ledger_head, release TO triage_auditor;
