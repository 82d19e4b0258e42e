-- breaks: no
-- Where an incident last changed for readers from whom its latest changes are hidden: those of a side, in the field or leads.
-- It holds while the incident's full row stands at `row_seq`; for everybody else, and after any other change, the row says it.
CREATE TABLE audience_position (
    team_id uuid NOT NULL REFERENCES team,
    incident_id uuid NOT NULL,
    side text NOT NULL CHECK (side IN ('police', 'health')),
    lead boolean NOT NULL,
    seq bigint NOT NULL,
    scope_until timestamptz NOT NULL,
    row_seq bigint NOT NULL,
    PRIMARY KEY (team_id, incident_id, side, lead),
    CHECK (seq < row_seq)
);
-- neither begins with what the look-up by incident asks for as well: without statistics the planner would take it for that
CREATE INDEX audience_position_seq ON audience_position (team_id, seq, incident_id);
CREATE INDEX audience_position_scope ON audience_position (team_id, scope_until);

CALL isolate_by_team(true, 'audience_position');
GRANT SELECT, INSERT, UPDATE ON audience_position TO triage_service;
