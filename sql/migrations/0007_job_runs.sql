-- When each job last succeeded, over all processes: what the service is watched by. It holds nothing of a team.
CREATE TABLE job_run (
    job text PRIMARY KEY CHECK (job <> '' AND length(job) <= 64),
    every_s double precision CHECK (every_s > 0),
    succeeded_at timestamptz,
    failures bigint NOT NULL DEFAULT 0 CHECK (failures >= 0)
);

GRANT SELECT, INSERT, UPDATE ON job_run TO triage_service;
