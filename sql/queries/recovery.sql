-- name: revoke_device
-- why: a device that was revoked after the backup was made
UPDATE device SET revoked_at = :at WHERE team_id = :team_id AND device_id = :device_id AND revoked_at IS NULL

-- name: issue_token
-- why: a token that a phone or partner holds since
INSERT INTO token (hash, team_id, device_id, partner_id, send_only, created_at)
SELECT :token_hash, :team_id, :device_id, :partner_id, :send_only, :at
WHERE EXISTS (SELECT FROM device WHERE team_id = :team_id AND device_id = :device_id)
   OR EXISTS (SELECT FROM partner WHERE team_id = :team_id AND partner_id = :partner_id)
ON CONFLICT DO NOTHING

-- name: use_token
-- why: the first use of a token ended the ones of its kind before it
WITH used AS (
    UPDATE token SET used_at = coalesce(used_at, :at) WHERE team_id = :team_id AND hash = :token_hash
    RETURNING device_id, created_at, send_only
)
UPDATE token t SET revoked_at = :at FROM used u
WHERE t.team_id = :team_id AND t.device_id = u.device_id AND t.hash <> :token_hash AND t.created_at < u.created_at
  AND t.send_only = u.send_only AND t.revoked_at IS NULL

-- name: revoke_token
-- why: a partner's token that was revoked since
UPDATE token SET revoked_at = :at WHERE team_id = :team_id AND hash = :token_hash AND revoked_at IS NULL

-- name: keep_published
-- why: an edition or release published after the backup was made is put back as it was; a column younger than the row has
-- its default
SELECT format('INSERT INTO %I (%s) SELECT %s FROM jsonb_populate_record(NULL::%I, $1::jsonb) ON CONFLICT DO NOTHING',
              :table_name::text, string_agg(quote_ident(a.attname), ', '), string_agg(quote_ident(a.attname), ', '),
              :table_name) AS sql
FROM pg_attribute a JOIN jsonb_object_keys(:row::jsonb) k ON k = a.attname
WHERE a.attrelid = to_regclass(:table_name) AND a.attnum > 0 AND NOT a.attisdropped

-- name: end_sessions
-- why: who signed out of the pages since is not signed in again; no stamp of before is given twice
UPDATE staff SET stamp = greatest(stamp + 1, extract(epoch FROM clock_timestamp())::bigint)

-- name: installation
-- why: what this database is, and how far the journal was when it was last backed up
SELECT id, epoch, root_fingerprint, journal_n, journal_digest FROM installation

-- name: take_name
-- why: an installation made to be restored into takes the name that its key store knows
UPDATE installation SET id = :id WHERE NOT EXISTS (SELECT FROM team) RETURNING id

-- name: begin_epoch
-- why: phones offer again what the history lost
UPDATE installation SET epoch = :epoch RETURNING epoch

-- name: mark_backup
-- why: a restore refuses a journal that does not cover what the backup holds
UPDATE installation SET root_fingerprint = :root_fingerprint, journal_n = :n, journal_digest = :digest RETURNING id

-- name: remember_loss
-- why: what phones sent in this time is received again
INSERT INTO lost_span (team_id, since, until) VALUES (:team_id, :since, :until) ON CONFLICT DO NOTHING

-- name: ends
-- why: where the chains of a database end, and when the last entry came; in an empty log the team's beginning
SELECT 'entries' AS chain, coalesce(h.seq, 0) AS position,
       coalesce((SELECT e.received_at FROM entry e WHERE e.team_id = :team_id AND e.seq = h.seq),
                (SELECT t.created_at FROM team t WHERE t.team_id = :team_id)) AS since
FROM (SELECT (SELECT seq FROM log_head WHERE team_id = :team_id) AS seq) h
UNION ALL
SELECT 'audit', coalesce((SELECT position FROM audit_head WHERE team_id = :team_id), 0), NULL
UNION ALL
SELECT 'pulls', coalesce((SELECT n FROM ledger_head WHERE team_id = :team_id), 0), NULL

-- name: kept_until
-- why: as above, of the last entry that is known to be true
SELECT coalesce((SELECT received_at FROM entry WHERE team_id = :team_id AND seq = :position),
                (SELECT created_at FROM team WHERE team_id = :team_id)) AS since

-- name: links
-- why: the links of anchored positions of a chain
SELECT seq AS position, link FROM entry
WHERE :chain = 'entries' AND team_id = :team_id AND seq = ANY (:positions::bigint[])
UNION ALL
SELECT position, link FROM audit
WHERE :chain = 'audit' AND team_id = :team_id AND position = ANY (:positions::bigint[])
UNION ALL
SELECT n, link FROM ledger WHERE :chain = 'pulls' AND team_id = :team_id AND n = ANY (:positions::bigint[])

-- name: entry_links
-- why: as above, as the service may see them
SELECT seq AS position, link FROM entry WHERE team_id = :team_id AND seq = ANY (:positions::bigint[])

-- name: published_positions
-- why: every published summary anchors the log: the heads it was cut at must still be in it
SELECT kind, period, form, edition, as_at_seq, chain_head FROM summary_edition WHERE team_id = :team_id
ORDER BY as_at_seq, kind, period, form, edition
