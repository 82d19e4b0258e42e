-- Retention as a daily job, holds as one rule, and the regime that an incident is processed under.

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

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['retention_run', 'incident_regime'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I
                        FOR EACH ROW EXECUTE FUNCTION table_is_final()', t || '_final', t);
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_team ON %I USING (team_id = current_team()) WITH CHECK (team_id = current_team())', t);
    END LOOP;
END $$;
