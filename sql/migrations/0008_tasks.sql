-- What a lead asks of somebody: a question about an incident, or to chase its outcome. It reaches the phone with a sync.
CREATE TABLE task (
    team_id uuid NOT NULL REFERENCES team,
    id uuid NOT NULL,
    incident_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ask', 'chase')),
    made_by uuid NOT NULL,
    addressee uuid NOT NULL,
    about text NOT NULL CHECK (about <> '' AND length(about) <= 64),
    -- free text, sealed as a note is and erased with the incident's notes
    sealed bytea,
    key_ref uuid,
    made_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz,
    taken_back_at timestamptz,
    -- the addressee's entry that answers it, and when it was received
    answered_by uuid,
    answered_at timestamptz,
    PRIMARY KEY (team_id, id),
    FOREIGN KEY (team_id, made_by) REFERENCES staff,
    FOREIGN KEY (team_id, addressee) REFERENCES staff,
    CHECK ((answered_by IS NULL) = (answered_at IS NULL))
);
CREATE INDEX task_open ON task (team_id, addressee) WHERE answered_at IS NULL AND taken_back_at IS NULL;
CREATE INDEX task_incident ON task (team_id, incident_id);

CALL isolate_by_team(true, 'task');
GRANT SELECT, INSERT ON task TO triage_service;
GRANT UPDATE (taken_back_at, answered_by, answered_at, sealed, key_ref) ON task TO triage_service;
