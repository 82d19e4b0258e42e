-- Twelve months counted without reading them, totals of the whole force, and the code lists that editions rest on.

-- What equality tables ask of an incident, as one text (JSON), so that the database counts it; null where it counts nowhere.
-- A grade is P until pending_until. Facts of before the column are of an older version, and made anew.
ALTER TABLE incident_fact ADD COLUMN profile text;
ALTER TABLE incident_fact ADD COLUMN pending_until timestamptz;
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX incident_fact_occurred;
-- the table holds copies only, and nobody waits for it
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX incident_fact_profile ON incident_fact (team_id, occurred_at) INCLUDE (id, version, profile, pending_until);
GRANT DELETE ON incident_fact TO triage_service;

-- How far in the log the facts of every incident are kept under a version of the rules: what moved since is looked at
-- one by one, the rest is counted as it lies.
CREATE TABLE fact_position (
    team_id uuid NOT NULL,
    version text NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 0),
    PRIMARY KEY (team_id, version)
);

-- Uses of s136 by the whole force, which this service cannot know, as somebody entered them. A correction is a new version.
CREATE TABLE force_total (
    team_id uuid NOT NULL REFERENCES team,
    kind text NOT NULL CHECK (kind IN ('quarterly', 'yearly')),
    period text NOT NULL,
    version int NOT NULL CHECK (version > 0),
    s136 int NOT NULL CHECK (s136 >= 0),
    source text NOT NULL CHECK (source <> '' AND length(source) <= 200),
    entered_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, kind, period, version)
);
CREATE TRIGGER force_total_final BEFORE UPDATE OR DELETE ON force_total FOR EACH ROW EXECUTE FUNCTION table_is_final();

-- The code lists that editions were computed under, whole, so that they can be computed again in years. No team's.
CREATE TABLE code_lists (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    version int NOT NULL,
    body bytea NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER code_lists_final BEFORE UPDATE OR DELETE ON code_lists FOR EACH ROW EXECUTE FUNCTION table_is_final();

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['fact_position', 'force_total'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_team ON %I USING (team_id = current_team()) WITH CHECK (team_id = current_team())', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON fact_position TO triage_service;
GRANT SELECT, INSERT ON force_total, code_lists TO triage_service;
