-- Summaries: what is due and what was done, immutable editions, and the outbox that tells others of them.

-- A team's own due times; a kind without a row is due as the service ships it.
CREATE TABLE summary_schedule (
    team_id uuid NOT NULL REFERENCES team,
    kind text NOT NULL CHECK (kind IN ('daily', 'weekly', 'monthly', 'quarterly', 'yearly')),
    due_at time NOT NULL,
    -- days after the period's last day
    after_days int NOT NULL CHECK (after_days BETWEEN 1 AND 120),
    PRIMARY KEY (team_id, kind)
);

-- One row a period: whether it was published or its last run failed, and how far later entries were looked at.
CREATE TABLE summary_run (
    team_id uuid NOT NULL REFERENCES team,
    kind text NOT NULL CHECK (kind IN ('daily', 'weekly', 'monthly', 'quarterly', 'yearly')),
    period text NOT NULL,
    form text NOT NULL CHECK (form IN ('internal', 'protected')),
    first_day date NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    due_at timestamptz NOT NULL CHECK (due_at >= ends_at),
    state text NOT NULL CHECK (state IN ('published', 'failed')),
    ran_at timestamptz NOT NULL,
    failures int NOT NULL DEFAULT 0 CHECK (failures >= 0),
    checked_seq bigint NOT NULL DEFAULT 0,
    checked_rules text NOT NULL DEFAULT '',
    PRIMARY KEY (team_id, kind, period, form),
    CHECK (form = 'internal' OR kind IN ('monthly', 'quarterly', 'yearly')),
    CHECK (state = 'published' OR failures > 0)
);
CREATE INDEX summary_run_day ON summary_run (team_id, form, first_day);

CREATE TABLE summary_edition (
    team_id uuid NOT NULL,
    kind text NOT NULL,
    period text NOT NULL,
    form text NOT NULL,
    edition int NOT NULL CHECK (edition > 0),
    published_at timestamptz NOT NULL,
    as_at timestamptz NOT NULL,
    -- of the log; the protected form shows neither
    as_at_seq bigint NOT NULL CHECK (as_at_seq >= 0),
    chain_head bytea NOT NULL CHECK (octet_length(chain_head) = 32),
    body bytea NOT NULL CHECK (octet_length(body) > 2),
    PRIMARY KEY (team_id, kind, period, form, edition),
    FOREIGN KEY (team_id, kind, period, form) REFERENCES summary_run DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX summary_edition_published ON summary_edition (team_id, published_at);

-- Numbers follow one another, so that nobody can slip an edition in, or leave one out.
CREATE FUNCTION editions_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.edition > 1 AND NOT EXISTS (
        SELECT FROM summary_edition e WHERE e.team_id = NEW.team_id AND e.kind = NEW.kind AND e.period = NEW.period
            AND e.form = NEW.form AND e.edition = NEW.edition - 1
    ) THEN
        RAISE EXCEPTION 'editions are numbered without gaps' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER summary_edition_follows BEFORE INSERT ON summary_edition FOR EACH ROW EXECUTE FUNCTION editions_follow();
CREATE TRIGGER summary_edition_final BEFORE UPDATE OR DELETE ON summary_edition
    FOR EACH ROW EXECUTE FUNCTION table_is_final();
CREATE TRIGGER summary_edition_kept BEFORE TRUNCATE ON summary_edition
    FOR EACH STATEMENT EXECUTE FUNCTION table_is_final();

-- What measures need of an incident, kept from the last time it was added up. Only a copy: made anew from the entries
-- whenever the incident (seq) or the rules (version) moved on, and never read where they did. `profile` is what equality
-- tables ask of it, as one text (JSON), so that the database counts it; null where it counts nowhere. A grade is P until
-- pending_until.
CREATE TABLE incident_fact (
    team_id uuid NOT NULL,
    id uuid NOT NULL,
    seq bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    version text NOT NULL,
    body bytea NOT NULL,
    profile text,
    pending_until timestamptz,
    PRIMARY KEY (team_id, id)
);
CREATE INDEX incident_fact_profile ON incident_fact (team_id, occurred_at) INCLUDE (id, version, profile, pending_until);

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

-- ---------------------------------------------------------------- delivery

CREATE TABLE destination (
    team_id uuid NOT NULL REFERENCES team,
    destination_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'webhook')),
    address text NOT NULL CHECK (address <> '' AND length(address) <= 500),
    topics text[] NOT NULL CHECK (topics <> '{}' AND topics <@ ARRAY['summary', 'alert']),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    PRIMARY KEY (team_id, destination_id)
);

-- A message is written with what it tells of, in one transaction; its payload never changes afterwards.
CREATE TABLE outbox (
    team_id uuid NOT NULL,
    id uuid NOT NULL,
    destination_id uuid NOT NULL,
    key text NOT NULL,
    payload bytea NOT NULL,
    created_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    delivered_at timestamptz,
    dead_at timestamptz,
    PRIMARY KEY (team_id, id),
    UNIQUE (team_id, destination_id, key),
    FOREIGN KEY (team_id, destination_id) REFERENCES destination,
    CHECK (delivered_at IS NULL OR dead_at IS NULL)
);
CREATE INDEX outbox_waiting ON outbox (team_id, next_at) WHERE delivered_at IS NULL AND dead_at IS NULL;

CREATE TABLE delivery_attempt (
    team_id uuid NOT NULL,
    outbox_id uuid NOT NULL,
    at timestamptz NOT NULL,
    n int NOT NULL CHECK (n > 0),
    outcome text NOT NULL CHECK (outcome <> '' AND length(outcome) <= 64),
    PRIMARY KEY (team_id, outbox_id, n),
    FOREIGN KEY (team_id, outbox_id) REFERENCES outbox
);

-- An alert is raised once; `mark` tells a second expiry, after an extension, from the first.
CREATE TABLE alert (
    team_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('under_18_police_station', 'detention_4_h', 'detention_1_h', 'detention_0_h')),
    mark text NOT NULL,
    raised_at timestamptz NOT NULL,
    PRIMARY KEY (team_id, incident_id, kind, mark)
);

-- ---------------------------------------------------------------- who may do what

CALL isolate_by_team(true, 'summary_schedule', 'summary_run', 'summary_edition', 'incident_fact', 'fact_position',
                     'force_total', 'destination', 'outbox', 'delivery_attempt', 'alert');

GRANT SELECT, INSERT, UPDATE ON summary_schedule, incident_fact, fact_position, destination TO triage_service;
GRANT DELETE ON incident_fact TO triage_service;
GRANT SELECT, INSERT ON summary_run, summary_edition, force_total, code_lists, outbox, delivery_attempt, alert
    TO triage_service;
GRANT UPDATE (due_at, starts_at, ends_at, state, ran_at, failures, checked_seq, checked_rules) ON summary_run TO triage_service;
GRANT UPDATE (next_at, attempts, delivered_at, dead_at) ON outbox TO triage_service;
