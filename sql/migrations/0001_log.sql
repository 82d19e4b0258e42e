-- The log and what it adds up to. Everything of a team leads with team_id, so that row-level security can isolate teams.

-- Roles are the cluster's, shared by its databases: several databases may be migrated at once.
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['triage_service', 'triage_auditor'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
    -- an owner that is no superuser must be able to act as the service too (the embedded and the one-login set-up)
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND NOT pg_has_role(current_user, 'triage_service', 'MEMBER') THEN
        EXECUTE format('GRANT triage_service TO %I', current_user);
    END IF;
END $$;

GRANT USAGE ON SCHEMA public TO triage_service, triage_auditor;

-- The team that the session works for. Unset or empty matches no row at all.
CREATE FUNCTION current_team() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('triage.team', true), '')::uuid;

-- ---------------------------------------------------------------- teams, people at work, devices

CREATE TABLE team (
    team_id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    zone text NOT NULL DEFAULT 'Europe/London',
    day_start_hour int NOT NULL DEFAULT 6 CHECK (day_start_hour BETWEEN 0 AND 23),
    starts_on date NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Roles are data: a name and the verbs it holds. `side` is null for roles outside the two services.
CREATE TABLE role (
    role text PRIMARY KEY,
    side text CHECK (side IN ('police', 'health')),
    level text NOT NULL CHECK (level IN ('field', 'lead', 'office')),
    verbs text[] NOT NULL
);

INSERT INTO role (role, side, level, verbs) VALUES
    ('officer', 'police', 'field', '{entries.write,incidents.read,people.match}'),
    ('nurse', 'health', 'field', '{entries.write,incidents.read,people.match}'),
    ('paramedic', 'health', 'field', '{entries.write,incidents.read,people.match}'),
    ('sergeant', 'police', 'lead',
     '{entries.write,incidents.read,people.match,devices.manage,enrol.police,queues.police,quarantine.police,summaries.internal}'),
    ('clinical_lead', 'health', 'lead',
     '{entries.write,incidents.read,people.match,devices.manage,enrol.health,queues.health,quarantine.health,summaries.internal,repeat.read,results.read}'),
    ('partner', NULL, 'office', '{summaries.protected,exports.read}'),
    ('auditor', NULL, 'office', '{audit.read}'),
    ('admin', NULL, 'office',
     '{staff.manage,devices.manage,enrol.police,enrol.health,enrol.office,agreements.manage,summaries.internal}');

CREATE TABLE staff (
    team_id uuid NOT NULL REFERENCES team,
    staff_id uuid NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    role text NOT NULL REFERENCES role,
    profession text CHECK (profession IN ('police', 'nurse', 'paramedic')),
    issuer text,
    subject text,
    -- moves on whenever the role, profession or standing changes: a cached sign-in with an older stamp is stale
    stamp bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    PRIMARY KEY (team_id, staff_id),
    UNIQUE (staff_id),
    UNIQUE (issuer, subject),
    CHECK ((issuer IS NULL) = (subject IS NULL)),
    CHECK (role NOT IN ('officer', 'sergeant') OR profession = 'police'),
    CHECK (role <> 'nurse' OR profession = 'nurse'),
    CHECK (role <> 'paramedic' OR profession = 'paramedic'),
    CHECK (role <> 'clinical_lead' OR profession IN ('nurse', 'paramedic'))
);

CREATE TABLE partner (
    team_id uuid NOT NULL REFERENCES team,
    partner_id uuid NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    body text NOT NULL CHECK (body IN ('police', 'health', 'other')),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (team_id, partner_id),
    UNIQUE (partner_id)
);

CREATE TABLE device (
    team_id uuid NOT NULL,
    device_id uuid NOT NULL,
    staff_id uuid NOT NULL,
    name text NOT NULL CHECK (name <> '' AND length(name) <= 80),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    clock_skew_ms bigint,
    revoked_at timestamptz,
    revoked_by uuid,
    PRIMARY KEY (team_id, device_id),
    UNIQUE (device_id),
    FOREIGN KEY (team_id, staff_id) REFERENCES staff
);
CREATE INDEX device_staff ON device (team_id, staff_id);

-- A token is stored as its SHA-256 only. A device may hold two while it changes over: the older dies when the newer is first used.
CREATE TABLE token (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    team_id uuid NOT NULL,
    device_id uuid,
    partner_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    revoked_at timestamptz,
    FOREIGN KEY (team_id, device_id) REFERENCES device,
    FOREIGN KEY (team_id, partner_id) REFERENCES partner,
    CHECK (num_nonnulls(device_id, partner_id) = 1)
);
CREATE INDEX token_device ON token (device_id) WHERE device_id IS NOT NULL;
CREATE INDEX token_partner ON token (partner_id) WHERE partner_id IS NOT NULL;

CREATE TABLE enrolment (
    code_hash bytea PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    team_id uuid NOT NULL,
    staff_id uuid NOT NULL,
    issued_by uuid,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    FOREIGN KEY (team_id, staff_id) REFERENCES staff
);

-- Attempts counted across processes: one row a bucket (what is limited and for whom, hashed) and window.
CREATE TABLE attempt (
    bucket bytea NOT NULL,
    opened_at timestamptz NOT NULL,
    n int NOT NULL DEFAULT 1,
    PRIMARY KEY (bucket, opened_at)
);

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

CREATE FUNCTION table_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER entry_kept BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION table_is_final();

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

-- ---------------------------------------------------------------- audit

-- Data Protection Act 2018 s62: who did what to which records, and when. Partitioned by month of `at`.
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
    link bytea,
    PRIMARY KEY (team_id, at, id)
) PARTITION BY RANGE (at);
CREATE TABLE audit_rest PARTITION OF audit DEFAULT;

-- ---------------------------------------------------------------- who may do what

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['staff', 'partner', 'device', 'token', 'enrolment', 'log_head', 'entry', 'incident',
                             'incident_person', 'intent_disclosure', 'quarantine', 'audit', 'team'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        -- the owner's own look-up functions below must reach what is looked up before a team is known
        IF t NOT IN ('team', 'staff', 'partner', 'device', 'token', 'enrolment') THEN
            EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        END IF;
        EXECUTE format('CREATE POLICY own_team ON %I USING (team_id = (SELECT current_team())) WITH CHECK (team_id = (SELECT current_team()))', t);
    END LOOP;
END $$;

GRANT SELECT ON team, role, schema_migration TO triage_service;
GRANT SELECT, INSERT ON staff, device, token, enrolment, entry, incident, incident_person, intent_disclosure, quarantine, partner
    TO triage_service;
GRANT SELECT, UPDATE ON log_head TO triage_service;
GRANT UPDATE ON incident TO triage_service;
GRANT DELETE ON incident_person TO triage_service;
GRANT UPDATE (role, profession, name, stamp, disabled_at) ON staff TO triage_service;
GRANT UPDATE (name, last_seen_at, clock_skew_ms, revoked_at, revoked_by) ON device TO triage_service;
GRANT UPDATE (used_at, revoked_at) ON token TO triage_service;
GRANT UPDATE (used_at) ON enrolment TO triage_service;
GRANT UPDATE (sealed, key_ref, settled, settled_by, settled_at) ON quarantine TO triage_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON attempt TO triage_service;
GRANT INSERT ON audit TO triage_service;
GRANT SELECT ON audit TO triage_auditor;

-- Tokens and enrolment codes are looked up before a team is known, by these functions alone.
CREATE FUNCTION authenticate(token_hash bytea)
    RETURNS TABLE (team_id uuid, staff_id uuid, partner_id uuid, device_id uuid, role text, profession text, side text,
                   level text, verbs text[], stamp bigint, used_at timestamptz, created_at timestamptz,
                   device_revoked boolean, disabled boolean, replaced boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.team_id, d.staff_id, t.partner_id, t.device_id, coalesce(s.role, 'partner'), s.profession, r.side, r.level,
           r.verbs, coalesce(s.stamp, 0), t.used_at, t.created_at, d.revoked_at IS NOT NULL,
           coalesce(s.disabled_at, p.revoked_at) IS NOT NULL, t.revoked_at IS NOT NULL
    FROM token t
    LEFT JOIN device d USING (team_id, device_id)
    LEFT JOIN staff s ON s.team_id = t.team_id AND s.staff_id = d.staff_id
    LEFT JOIN partner p ON p.team_id = t.team_id AND p.partner_id = t.partner_id
    JOIN role r ON r.role = coalesce(s.role, 'partner')
    WHERE t.hash = token_hash
$$;

CREATE FUNCTION enrolling(hash bytea)
    RETURNS TABLE (team_id uuid, staff_id uuid, expires_at timestamptz, used_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.team_id, e.staff_id, e.expires_at, e.used_at FROM enrolment e WHERE e.code_hash = hash
$$;

-- Teams are listed by jobs that work for each in turn.
CREATE FUNCTION teams() RETURNS TABLE (team_id uuid, zone text, day_start_hour int, starts_on date)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.team_id, t.zone, t.day_start_hour, t.starts_on FROM team t ORDER BY t.team_id
$$;

REVOKE EXECUTE ON FUNCTION authenticate(bytea), enrolling(bytea), teams() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate(bytea), enrolling(bytea), teams() TO triage_service;
