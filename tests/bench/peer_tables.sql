-- What storing an entry cannot do without: the entry's row with its three indexes, and the row of its incident.
CREATE SCHEMA peer;
CREATE TABLE peer.entry (
    team_id int NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    id uuid NOT NULL,
    incident_id uuid NOT NULL,
    kind text NOT NULL,
    author int NOT NULL,
    received_at timestamptz NOT NULL,
    body bytea NOT NULL,
    salt bytea NOT NULL,
    digest bytea NOT NULL,
    link bytea NOT NULL,
    PRIMARY KEY (team_id, seq),
    UNIQUE (team_id, id)
);
CREATE INDEX ON peer.entry (team_id, incident_id);
CREATE TABLE peer.incident (
    team_id int NOT NULL,
    id uuid NOT NULL,
    revision int NOT NULL,
    occurred_at timestamptz NOT NULL,
    area text NOT NULL,
    status text NOT NULL,
    PRIMARY KEY (team_id, id)
);
CREATE INDEX ON peer.incident (team_id, occurred_at);
