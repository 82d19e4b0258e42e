-- People, the log and what it adds up to, what was served of it, and what waits outside it.

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

-- A fresh id for everybody who tells of a person: which aliases are one person is known to the service alone. The person's own
-- id is one of them, and is never given out.
CREATE TABLE person_alias (
    team_id uuid NOT NULL,
    alias uuid NOT NULL,
    person_id uuid NOT NULL,
    PRIMARY KEY (team_id, alias),
    FOREIGN KEY (team_id, person_id) REFERENCES person
);
CREATE INDEX person_alias_person ON person_alias (team_id, person_id);

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

-- ---------------------------------------------------------------- the log

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
    -- any kind: a newer version may write what this one does not know
    kind text NOT NULL CHECK (kind <> ''),
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
    -- it was held before and lost in a restore: that it came late is not held against it
    received_again boolean NOT NULL DEFAULT false,
    -- what an amendment or withdrawal names, and the incident that the entry belongs to: that of what it names, once held
    names uuid,
    belongs_to uuid NOT NULL,
    -- whom a link to a person names, as it was sent
    alias uuid,
    -- training: it is left out wherever anything is counted
    test boolean NOT NULL DEFAULT false,
    erased_at timestamptz,
    PRIMARY KEY (team_id, seq),
    UNIQUE (team_id, id),
    CHECK ((sealed_digest IS NULL) = (key_ref IS NULL)),
    CHECK (sealed IS NULL OR sealed_digest IS NOT NULL),
    CHECK (sealed IS NOT NULL OR sealed_digest IS NULL OR erased_at IS NOT NULL),
    CHECK (belongs_to = incident_id OR names IS NOT NULL)
);
CREATE INDEX entry_incident ON entry (team_id, belongs_to);
CREATE INDEX entry_alias ON entry (team_id, alias) WHERE alias IS NOT NULL;
CREATE INDEX entry_names ON entry (team_id, names) WHERE names IS NOT NULL;

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

-- Only destroying the sealed text is ever an update, whoever asks, and that a correction finds the incident it belongs to.
CREATE FUNCTION entry_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
       AND NEW.sealed IS NULL AND NEW.erased_at IS NOT NULL
       AND (to_jsonb(NEW) - 'sealed' - 'erased_at') = (to_jsonb(OLD) - 'sealed' - 'erased_at') THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.names IS NOT NULL
       AND (to_jsonb(NEW) - 'belongs_to') = (to_jsonb(OLD) - 'belongs_to') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'entries are only ever added' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER entry_final BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION entry_is_final();

CREATE TRIGGER entry_kept BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION table_is_final();
CREATE INDEX entry_received ON entry USING brin (received_at);

-- The columns that make an entry again; `incident_id` is the incident that it belongs to, whatever id it was sent under, and
-- `person_id` the person whom the alias in a link means.
CREATE VIEW stored_entry WITH (security_invoker = true) AS
    SELECT e.team_id, e.seq, e.id, e.belongs_to AS incident_id, e.received_at, e.author, e.profession, e.role, e.device,
           e.skew_ms, e.blind, e.released_by, e.received_again,
           CASE WHEN e.alias IS NOT NULL THEN
               (SELECT a.person_id FROM person_alias a WHERE a.team_id = e.team_id AND a.alias = e.alias) END AS person_id,
           e.body
    FROM entry e;

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
    -- when the view changes by time alone: for those in the field, and for a lead, who is shown grades
    turns timestamptz[] NOT NULL DEFAULT '{}',
    lead_turns timestamptz[] NOT NULL DEFAULT '{}',
    turns_last timestamptz,
    -- from when on no judgement can corroborate any more, so that the clinical lead may see the intent
    lead_unblinded_at timestamptz,
    area text NOT NULL,
    log_ref text,
    age_band text,
    sex text,
    contact boolean NOT NULL,
    -- it counts in measures: a contact, outcome or detention that is not training
    counts boolean NOT NULL,
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

-- Which of the two rows of an incident an audience reads: police the full one; a nurse the blind one until that very account
-- has judged; a paramedic until any nurse has; the clinical lead until one has, or none can corroborate any more.
CREATE FUNCTION is_readable(blind boolean, judged_by uuid[], lead_unblinded_at timestamptz, audience text, account uuid,
                            at timestamptz) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE audience
        WHEN 'police' THEN NOT blind
        WHEN 'nurse' THEN blind <> (account = ANY (judged_by))
        WHEN 'paramedic' THEN blind = (judged_by = '{}')
        WHEN 'clinical_lead' THEN blind = (judged_by = '{}' AND coalesce(lead_unblinded_at > at, true))
        ELSE false
    END;

-- A log reference as it is compared: without case, blanks and dashes.
CREATE FUNCTION plain_ref(log_ref text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN nullif(lower(regexp_replace(log_ref, '[\s\-\u2010-\u2015]', '', 'g')), '');
CREATE INDEX incident_log_ref ON incident (team_id, plain_ref(log_ref)) WHERE log_ref IS NOT NULL;

CREATE TABLE incident_person (
    team_id uuid NOT NULL,
    person_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    PRIMARY KEY (team_id, person_id, incident_id)
);

CREATE INDEX incident_clock_running ON incident (team_id, id)
    WHERE NOT blind AND root = id AND flags && '{clock_running,clock_unknown}';
CREATE INDEX incident_child_at_station ON incident (team_id, seq)
    WHERE NOT blind AND root = id AND flags @> '{under_18_police_station}';

-- To whom an intent of an incident was served, first: a judgement given afterwards by that account, or on that phone, is not
-- blind. `phone` is the installation, or a device that named none; zero where there was no phone (a page in a browser).
-- What a phone sent counts as served to it.
CREATE TABLE intent_served (
    team_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    staff_id uuid NOT NULL,
    phone uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, incident_id, staff_id, phone)
);

-- What was refused, or came from a revoked phone: sealed, nothing lost, until somebody releases or discards it. What a newer
-- version sent waits longer, beside the others, and is taken by itself when a version that understands it starts.
-- `incident_id` is what the content says, so that it goes when the incident is erased, and counts as served to its phone.
CREATE TABLE quarantine (
    team_id uuid NOT NULL,
    id uuid NOT NULL,
    entry_id uuid,
    incident_id uuid,
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    staff_id uuid NOT NULL,
    device_id uuid,
    side text NOT NULL CHECK (side IN ('police', 'health')),
    role text NOT NULL,
    profession text NOT NULL,
    sealed bytea,
    key_ref uuid,
    problem text NOT NULL,
    newer boolean NOT NULL DEFAULT false,
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
CREATE INDEX quarantine_open ON quarantine (team_id, side, received_at, id) WHERE settled IS NULL;
CREATE INDEX quarantine_newer ON quarantine (team_id, received_at, id) WHERE settled IS NULL AND newer;

-- ---------------------------------------------------------------- who may do what

CALL isolate_by_team(true, 'person', 'person_identifier', 'person_alias', 'log_head', 'entry', 'incident', 'incident_person', 'intent_served', 'quarantine');

GRANT SELECT, INSERT ON person, person_identifier, person_alias TO triage_service;
GRANT UPDATE (sealed, key_ref) ON person TO triage_service;
GRANT SELECT, INSERT ON entry, incident, incident_person, intent_served, quarantine TO triage_service;
GRANT UPDATE (belongs_to) ON entry TO triage_service;
GRANT SELECT ON stored_entry TO triage_service;
GRANT SELECT, UPDATE ON log_head TO triage_service;
GRANT UPDATE ON incident TO triage_service;
GRANT DELETE ON incident_person TO triage_service;
GRANT UPDATE (sealed, key_ref, settled, settled_by, settled_at) ON quarantine TO triage_service;
