-- The log and what it adds up to, what was served of it, and what waits outside it.

CREATE TABLE log_head (
    team_id uuid PRIMARY KEY REFERENCES team,
    seq bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
    link bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(link) = 32)
);

CREATE TABLE entry (
    team_id uuid NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    id uuid NOT NULL,
    incident_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN (
        'officer', 'nurse', 'paramedic', 'intent', 'outcome', 'detention', 'follow_up', 'amendment', 'withdrawal',
        'same_incident', 'not_same_incident', 'person_link', 'person_unlink', 'erasure', 'regime', 'rules_changed')),
    author uuid NOT NULL,
    profession text NOT NULL CHECK (profession IN ('police', 'nurse', 'paramedic')),
    role text NOT NULL,
    device uuid,
    received_at timestamptz NOT NULL,
    skew_ms bigint,
    blind boolean NOT NULL DEFAULT false,
    released_by uuid,
    -- canonical coded content, never changed; the free text lies beside it, sealed, and may be destroyed
    body bytea NOT NULL,
    sealed bytea,
    sealed_digest bytea CHECK (octet_length(sealed_digest) = 32),
    key_ref uuid,
    salt bytea NOT NULL CHECK (octet_length(salt) = 16),
    link bytea NOT NULL CHECK (octet_length(link) = 32),
    notices text NOT NULL DEFAULT '[]',
    erased_at timestamptz,
    PRIMARY KEY (team_id, seq),
    UNIQUE (team_id, id),
    CHECK ((sealed_digest IS NULL) = (key_ref IS NULL)),
    CHECK (sealed IS NULL OR sealed_digest IS NOT NULL),
    CHECK (sealed IS NOT NULL OR sealed_digest IS NULL OR erased_at IS NOT NULL)
);
CREATE INDEX entry_incident ON entry (team_id, incident_id);

-- An append leaves the log dense and its head at the last entry, or it does not happen.
CREATE FUNCTION log_is_dense() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    a record;
    head bigint;
BEGIN
    FOR a IN SELECT team_id, min(seq) AS low, max(seq) AS high, count(*) AS n FROM added GROUP BY team_id LOOP
        -- one look-up by primary key each: a join would be planned anew, and costs more than the insert
        SELECT h.seq INTO head FROM log_head h WHERE h.team_id = a.team_id;
        IF head IS DISTINCT FROM a.high OR a.high - a.low + 1 <> a.n THEN
            RAISE EXCEPTION 'the log would not be dense' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        IF a.low > 1 THEN
            PERFORM FROM entry e WHERE e.team_id = a.team_id AND e.seq = a.low - 1;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'the log would not be dense' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER entry_dense AFTER INSERT ON entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION log_is_dense();

-- Nor does the head move without its entries, or back.
CREATE FUNCTION head_is_last_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq > OLD.seq THEN
        PERFORM FROM entry e WHERE e.team_id = NEW.team_id AND e.seq = NEW.seq AND e.link = NEW.link;
        IF FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    RAISE EXCEPTION 'the head of a log moves with its entries only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER head_moves_on AFTER UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION head_is_last_entry();

-- Only destroying the sealed text is ever an update, whoever asks.
CREATE FUNCTION entry_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
       AND NEW.sealed IS NULL AND NEW.erased_at IS NOT NULL
       AND (to_jsonb(NEW) - 'sealed' - 'erased_at') = (to_jsonb(OLD) - 'sealed' - 'erased_at') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'entries are only ever added' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER entry_final BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION entry_is_final();

CREATE TRIGGER entry_kept BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION table_is_final();
CREATE INDEX entry_received ON entry USING brin (received_at);

-- The columns that make an entry again, in the order in which `StoredEntry` is made of them.
CREATE VIEW stored_entry WITH (security_invoker = true) AS
    SELECT seq, id, incident_id, received_at, author, profession, role, device, skew_ms, blind, released_by, body, team_id
    FROM entry;

-- ---------------------------------------------------------------- what entries add up to

-- Two rows an incident: what those see who may see an intent (blind = false), and what a health device sees before its
-- own judgement (blind = true; absent where nothing is visible to it). An incident absorbed by a link keeps its row, with
-- the root it now answers for. Nothing here depends on the time of reading.
CREATE TABLE incident (
    team_id uuid NOT NULL,
    id uuid NOT NULL,
    blind boolean NOT NULL,
    root uuid NOT NULL,
    -- every id it answers to, where links join several
    ids uuid[] NOT NULL DEFAULT '{}',
    -- the smallest id that any statement, in force or not, connects it with, where that is another: what joins or parts
    -- incidents is decided by all statements of a family
    family uuid,
    seq bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'awaiting_outcome', 'closed', 'withdrawn', 'absorbed')),
    occurred_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    scope_until timestamptz NOT NULL,
    turns timestamptz[] NOT NULL DEFAULT '{}',
    turns_last timestamptz,
    area text NOT NULL,
    log_ref text,
    age_band text,
    sex text,
    contact boolean NOT NULL,
    test boolean NOT NULL,
    restricted boolean NOT NULL,
    flags text[] NOT NULL,
    judged_by uuid[] NOT NULL,
    duplicates uuid[] NOT NULL DEFAULT '{}',
    apart uuid[] NOT NULL DEFAULT '{}',
    people uuid[] NOT NULL,
    -- what other incidents of the same person contribute to this one's grade (JSON)
    related bytea NOT NULL DEFAULT '[]',
    PRIMARY KEY (team_id, id, blind),
    CHECK ((status = 'absorbed') = (root <> id))
);
CREATE INDEX incident_seq ON incident (team_id, seq, id);
CREATE INDEX incident_root ON incident (team_id, root) WHERE root <> id AND NOT blind;
CREATE INDEX incident_family ON incident (team_id, family) WHERE family IS NOT NULL AND NOT blind;
CREATE INDEX incident_occurred ON incident (team_id, occurred_at, id);
CREATE INDEX incident_scope ON incident (team_id, scope_until);
CREATE INDEX incident_turns ON incident (team_id, turns_last) WHERE turns_last IS NOT NULL;

-- Which of the two rows of an incident an actor reads: police the full one; a nurse or paramedic the blind one until that
-- very account has judged; the clinical lead the blind one until any nurse has.
CREATE FUNCTION shown(blind boolean, judged_by uuid[], eyes text, account uuid) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE eyes
        WHEN 'police' THEN NOT blind
        WHEN 'health_field' THEN blind <> (account = ANY (judged_by))
        WHEN 'health_lead' THEN blind = (judged_by = '{}')
        ELSE false
    END;
CREATE INDEX incident_log_ref ON incident (team_id, log_ref) WHERE blind AND log_ref IS NOT NULL;

CREATE TABLE incident_person (
    team_id uuid NOT NULL,
    person_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    PRIMARY KEY (team_id, person_id, incident_id)
);

-- To whom on the health side an intent of an incident was served: a judgement given afterwards is not blind.
CREATE TABLE intent_disclosure (
    team_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    staff_id uuid NOT NULL,
    device_id uuid,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX intent_disclosure_once ON intent_disclosure
    (team_id, incident_id, staff_id, coalesce(device_id, '00000000-0000-0000-0000-000000000000'));

CREATE INDEX incident_clock_running ON incident (team_id, id)
    WHERE NOT blind AND root = id AND status = 'awaiting_outcome';
CREATE INDEX incident_child_at_station ON incident (team_id, seq)
    WHERE NOT blind AND root = id AND flags @> '{under_18_police_station}';

-- What was refused, or came from a revoked phone: sealed, nothing lost, until somebody releases or discards it.
CREATE TABLE quarantine (
    team_id uuid NOT NULL,
    id uuid NOT NULL,
    entry_id uuid,
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    staff_id uuid NOT NULL,
    device_id uuid,
    side text NOT NULL CHECK (side IN ('police', 'health')),
    role text NOT NULL,
    profession text NOT NULL,
    sealed bytea,
    key_ref uuid,
    problem text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    skew_ms bigint,
    settled text CHECK (settled IN ('released', 'discarded', 'expired')),
    settled_by uuid,
    settled_at timestamptz,
    PRIMARY KEY (team_id, id),
    CHECK ((settled IS NULL) = (sealed IS NOT NULL)),
    CHECK ((settled IS NULL) = (settled_at IS NULL))
);
CREATE UNIQUE INDEX quarantine_once ON quarantine
    (team_id, coalesce(device_id, staff_id), content_digest) WHERE settled IS NULL;
CREATE INDEX quarantine_open ON quarantine (team_id, received_at, id) WHERE settled IS NULL;

-- ---------------------------------------------------------------- who may do what

CALL isolate_by_team(true, 'log_head', 'entry', 'incident', 'incident_person', 'intent_disclosure', 'quarantine');

GRANT SELECT, INSERT ON entry, incident, incident_person, intent_disclosure, quarantine TO triage_service;
GRANT SELECT ON stored_entry TO triage_service;
GRANT SELECT, UPDATE ON log_head TO triage_service;
GRANT UPDATE ON incident TO triage_service;
GRANT DELETE ON incident_person TO triage_service;
GRANT UPDATE (sealed, key_ref, settled, settled_by, settled_at) ON quarantine TO triage_service;
