-- Who works for a team: the service's roles in the database, teams, staff, partners, their devices and tokens. Everything of
-- a team leads with team_id, so that row-level security can isolate teams.

-- Roles of the database are the cluster's, shared by its databases: several may be migrated at once. The sealer chains the
-- audit; nobody else may read or change its links.
DO $$
DECLARE wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['triage_service', 'triage_auditor', 'triage_sealer'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        -- an owner that is no superuser must be able to act as each: while it restores, and where it is the only login. From
        -- PostgreSQL 16 on, who made a role may grant it, but not act as it: MEMBER is true there, and SET is false
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            IF current_setting('server_version_num')::int < 160000 THEN
                IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
                    EXECUTE format('GRANT %I TO %I', wanted, current_user);
                END IF;
            ELSIF NOT pg_has_role(current_user, wanted, 'SET') THEN
                EXECUTE format('GRANT %I TO %I WITH SET TRUE', wanted, current_user);
            END IF;
        END IF;
    END LOOP;
END $$;

GRANT USAGE ON SCHEMA public TO triage_service, triage_auditor, triage_sealer;

-- The team that the session works for. Unset or empty matches no row at all.
CREATE FUNCTION current_team() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('triage.team', true), '')::uuid;

CREATE FUNCTION table_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- Every table of a team is isolated alike. The owner is bound too where `forced`, so that a command that forgets its team
-- sees nothing.
CREATE PROCEDURE isolate_by_team(forced boolean, VARIADIC tables text[]) LANGUAGE plpgsql AS $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY tables LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        IF forced THEN
            EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        END IF;
        EXECUTE format('CREATE POLICY own_team ON %I USING (team_id = (SELECT current_team()))
                        WITH CHECK (team_id = (SELECT current_team()))', t);
    END LOOP;
END $$;

-- ---------------------------------------------------------------- teams and staff

CREATE TABLE team (
    team_id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    zone text NOT NULL DEFAULT 'Europe/London',
    day_start_hour int NOT NULL DEFAULT 6 CHECK (day_start_hour BETWEEN 0 AND 23),
    starts_on date NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- One row: what this database is, and the history it holds. The epoch is new after a restore, a recovery to a point in time
-- or an adopted failover, so that phones offer again what they sent since.
CREATE TABLE installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    -- as of the last backup: the root secret's fingerprint, and the last line of the journal with its SHA-256
    root_fingerprint bytea,
    journal_n bigint,
    journal_digest bytea
);
INSERT INTO installation DEFAULT VALUES;

-- Times whose entries a restore or a failover lost: phones send them again, and lateness is not held against those.
CREATE TABLE lost_span (
    team_id uuid NOT NULL REFERENCES team,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (team_id, until)
);
CALL isolate_by_team(true, 'lost_span');
GRANT SELECT ON lost_span TO triage_service;

-- Roles are data: a name, the verbs it holds, and the professions that may hold it (none: it is no member of a service's
-- staff who holds it). `side` is null for roles outside the two services.
CREATE TABLE role (
    role text PRIMARY KEY,
    side text CHECK (side IN ('police', 'health')),
    level text NOT NULL CHECK (level IN ('field', 'lead', 'office')),
    verbs text[] NOT NULL,
    professions text[] NOT NULL DEFAULT '{}' CHECK (professions <@ ARRAY['police', 'nurse', 'paramedic'])
);

INSERT INTO role (role, side, level, verbs, professions) VALUES
    ('officer', 'police', 'field', '{entries.write,incidents.read,people.match}', '{police}'),
    ('nurse', 'health', 'field', '{entries.write,incidents.read,people.match}', '{nurse}'),
    ('paramedic', 'health', 'field', '{entries.write,incidents.read,people.match}', '{paramedic}'),
    ('sergeant', 'police', 'lead',
     '{entries.write,incidents.read,people.match,devices.manage,enrol.police,queues.police,quarantine.police,summaries.internal}',
     '{police}'),
    ('clinical_lead', 'health', 'lead',
     '{entries.write,incidents.read,people.match,devices.manage,enrol.health,queues.health,quarantine.health,summaries.internal,repeat.read,results.read}',
     '{nurse,paramedic}'),
    ('partner', NULL, 'office', '{summaries.protected,exports.read}', '{}'),
    ('auditor', NULL, 'office', '{audit.read}', '{}'),
    ('admin', NULL, 'office',
     '{staff.manage,devices.manage,enrol.police,enrol.health,enrol.office,agreements.manage,summaries.internal}', '{}');

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
    CHECK ((issuer IS NULL) = (subject IS NULL))
);

-- Whoever writes entries has a profession, and one that the role allows.
CREATE FUNCTION profession_fits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM role r WHERE r.role = NEW.role AND (r.professions = '{}' OR NEW.profession = ANY (r.professions));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a % cannot be a %', coalesce(NEW.profession, 'person without a profession'), NEW.role
            USING ERRCODE = 'check_violation', CONSTRAINT = 'profession_fits';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER staff_profession BEFORE INSERT OR UPDATE OF role, profession ON staff
    FOR EACH ROW EXECUTE FUNCTION profession_fits();

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

-- `installation` is the phone, which may hold devices of several accounts: what was served to one was served to all. A
-- device that named none is a phone of its own.
CREATE TABLE device (
    team_id uuid NOT NULL,
    device_id uuid NOT NULL,
    staff_id uuid NOT NULL,
    name text NOT NULL CHECK (name <> '' AND length(name) <= 80),
    installation uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    clock_skew_ms bigint,
    revoked_at timestamptz,
    revoked_by uuid,
    wiped_at timestamptz,
    PRIMARY KEY (team_id, device_id),
    UNIQUE (device_id),
    FOREIGN KEY (team_id, staff_id) REFERENCES staff,
    CHECK (wiped_at IS NULL OR revoked_at IS NOT NULL)
);
CREATE INDEX device_staff ON device (team_id, staff_id);
CREATE INDEX device_phone ON device (team_id, (coalesce(installation, device_id)));

-- A token is stored as its SHA-256 only. A device may hold two of a kind while it changes over: the older dies when the
-- newer is first used. With one that is `send_only` a phone hands over what it holds, and reads nothing.
CREATE TABLE token (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    team_id uuid NOT NULL,
    device_id uuid,
    partner_id uuid,
    send_only boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    revoked_at timestamptz,
    FOREIGN KEY (team_id, device_id) REFERENCES device,
    FOREIGN KEY (team_id, partner_id) REFERENCES partner,
    CHECK (num_nonnulls(device_id, partner_id) = 1),
    CHECK (NOT send_only OR device_id IS NOT NULL)
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

-- ---------------------------------------------------------------- who may do what

-- the owner's own look-up functions below must reach what is looked up before a team is known
CALL isolate_by_team(false, 'team', 'staff', 'partner', 'device', 'token', 'enrolment');

GRANT SELECT ON team, role, installation, schema_migration TO triage_service;
GRANT SELECT, INSERT ON staff, device, token, enrolment, partner TO triage_service;
GRANT UPDATE (role, profession, name, stamp, disabled_at) ON staff TO triage_service;
GRANT UPDATE (name, last_seen_at, clock_skew_ms, revoked_at, revoked_by, wiped_at) ON device TO triage_service;
GRANT UPDATE (used_at, revoked_at) ON token TO triage_service;
GRANT UPDATE (used_at) ON enrolment TO triage_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON attempt TO triage_service;

-- Tokens and enrolment codes are looked up before a team is known, by these functions alone.
CREATE FUNCTION authenticate(token_hash bytea)
    RETURNS TABLE (team_id uuid, staff_id uuid, partner_id uuid, device_id uuid, role text, profession text, side text,
                   level text, verbs text[], stamp bigint, used_at timestamptz, created_at timestamptz,
                   device_revoked boolean, disabled boolean, replaced boolean, send_only boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.team_id, d.staff_id, t.partner_id, t.device_id, coalesce(s.role, 'partner'), s.profession, r.side, r.level,
           r.verbs, coalesce(s.stamp, 0), t.used_at, t.created_at, d.revoked_at IS NOT NULL,
           coalesce(s.disabled_at, p.revoked_at) IS NOT NULL, t.revoked_at IS NOT NULL, t.send_only
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

-- Staff of an issuer, before a team is known.
CREATE FUNCTION authenticate_subject(of_issuer text, of_subject text)
    RETURNS TABLE (team_id uuid, staff_id uuid, partner_id uuid, device_id uuid, role text, profession text, side text,
                   level text, verbs text[], stamp bigint, disabled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.team_id, s.staff_id, NULL::uuid, NULL::uuid, s.role, s.profession, r.side, r.level, r.verbs, s.stamp,
           s.disabled_at IS NOT NULL
    FROM staff s JOIN role r USING (role) WHERE s.issuer = of_issuer AND s.subject = of_subject
$$;
-- Teams are listed by jobs that work for each in turn.
CREATE FUNCTION teams() RETURNS TABLE (team_id uuid, zone text, day_start_hour int, starts_on date)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.team_id, t.zone, t.day_start_hour, t.starts_on FROM team t ORDER BY t.team_id
$$;

REVOKE EXECUTE ON FUNCTION authenticate(bytea), authenticate_subject(text, text), enrolling(bytea), teams() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate(bytea), authenticate_subject(text, text), enrolling(bytea), teams() TO triage_service;
