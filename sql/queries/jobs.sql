-- name: record_success
-- why: a job, or a command as which the service is watched, succeeded
INSERT INTO job_run (job, every_s, succeeded_at) VALUES (:job, :every_s, now())
ON CONFLICT (job) DO UPDATE SET every_s = EXCLUDED.every_s, succeeded_at = EXCLUDED.succeeded_at

-- name: record_failure
-- why: a job failed once more
INSERT INTO job_run (job, every_s, failures) VALUES (:job, :every_s, 1)
ON CONFLICT (job) DO UPDATE SET every_s = EXCLUDED.every_s, failures = job_run.failures + 1

-- name: list_runs
-- why: by when each job last succeeded the service is watched
SELECT job, every_s, succeeded_at, failures FROM job_run ORDER BY job
