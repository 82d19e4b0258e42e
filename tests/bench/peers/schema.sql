-- What both peers store: a record with who sent it, and who may send. Their own migrations would make the same.
CREATE SCHEMA peers;
CREATE TABLE peers.token (
    hash bytea PRIMARY KEY,
    team_id uuid NOT NULL,
    author uuid NOT NULL
);
CREATE TABLE peers.record (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    team_id uuid NOT NULL,
    author uuid NOT NULL,
    kind text NOT NULL,
    incident_id uuid NOT NULL,
    captured_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    body jsonb NOT NULL
);
CREATE INDEX record_team_seq ON peers.record (team_id, seq);
