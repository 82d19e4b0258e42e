-- A report made from an edition, frozen beside it: the same bytes for ever, with their digest.
CREATE TABLE report_file (
    team_id uuid NOT NULL REFERENCES team,
    kind text NOT NULL,
    period text NOT NULL,
    form text NOT NULL,
    edition int NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    body bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, kind, period, form, edition),
    FOREIGN KEY (team_id, kind, period, form, edition) REFERENCES summary_edition (team_id, kind, period, form, edition)
);
CREATE TRIGGER report_file_final BEFORE UPDATE OR DELETE ON report_file
    FOR EACH ROW EXECUTE FUNCTION table_is_final();
CALL isolate_by_team(true, 'report_file');
GRANT SELECT, INSERT ON report_file TO triage_service;
