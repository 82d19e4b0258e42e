-- name: of_team
-- why: how one team's log, quarantine, outbox and phones stand, for the metrics
SELECT coalesce((SELECT seq FROM log_head WHERE team_id = :team_id), 0) AS log_head,
       (SELECT count(*) FROM quarantine WHERE team_id = :team_id AND settled IS NULL) AS quarantine,
       (SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)::float FROM quarantine
        WHERE team_id = :team_id AND settled IS NULL) AS quarantine_seconds,
       (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float FROM outbox
        WHERE team_id = :team_id AND delivered_at IS NULL AND dead_at IS NULL) AS outbox_seconds,
       (SELECT count(*) FROM outbox JOIN destination USING (team_id, destination_id)
        WHERE team_id = :team_id AND delivered_at IS NULL AND dead_at IS NULL AND channel = 'email') AS emails_waiting,
       (SELECT count(*) FROM outbox JOIN destination USING (team_id, destination_id)
        WHERE team_id = :team_id AND delivered_at IS NULL AND dead_at IS NULL AND channel = 'webhook')
           AS webhooks_waiting,
       (SELECT count(*) FROM outbox WHERE team_id = :team_id AND dead_at IS NOT NULL) AS outbox_dead,
       (SELECT coalesce(max(abs(clock_skew_ms)), 0) FROM device
        WHERE team_id = :team_id AND revoked_at IS NULL AND last_seen_at > now() - interval '1 day') AS clock_skew_ms,
       (SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM now() - last_seen_at)::float), 0)
        FROM device WHERE team_id = :team_id AND revoked_at IS NULL AND last_seen_at > now() - interval '1 day')
           AS median_silence_s,
       (SELECT coalesce(percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM now() - last_seen_at)::float), 0)
        FROM device WHERE team_id = :team_id AND revoked_at IS NULL AND last_seen_at > now() - interval '1 day')
           AS long_silence_s

-- name: replication
-- why: whether what is acknowledged lies on a second machine; a login that may not see it (pg_monitor) gets no figures
SELECT current_setting('synchronous_standby_names') <> '' AS wanted,
       count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS synchronous,
       coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::float AS lag_bytes,
       coalesce(bool_and(sync_state IS NOT NULL), true) AS visible
FROM pg_stat_replication
