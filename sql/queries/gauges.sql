-- name: of_team
-- why: how one team's log, quarantine, outbox and phones stand, for the metrics
SELECT (SELECT seq FROM log_head WHERE team_id = $1) AS log_head,
       (SELECT count(*) FROM quarantine WHERE team_id = $1 AND settled IS NULL) AS quarantine,
       (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float FROM outbox
        WHERE team_id = $1 AND delivered_at IS NULL AND dead_at IS NULL) AS outbox_seconds,
       (SELECT coalesce(max(abs(clock_skew_ms)), 0) FROM device
        WHERE team_id = $1 AND revoked_at IS NULL AND last_seen_at > now() - interval '1 day') AS clock_skew_ms
