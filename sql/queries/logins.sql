-- name: read
-- why: what a login may do, and how its database is kept
SELECT current_user::text AS name, r.rolsuper AS superuser,
       EXISTS (SELECT FROM pg_class c WHERE c.relname = 'entry' AND c.relkind = 'r'
               AND pg_has_role(current_user, c.relowner, 'USAGE')) AS owns_tables,
       ARRAY(SELECT x FROM unnest(ARRAY['triage_service', 'triage_auditor', 'triage_sealer']) x
             WHERE NOT EXISTS (SELECT FROM pg_roles p WHERE p.rolname = x AND pg_has_role(current_user, p.oid, 'MEMBER')))
           AS missing_roles,
       r.rolsuper OR (r.rolcreatedb AND r.rolbypassrls AND pg_has_role(current_user, 'pg_signal_backend', 'MEMBER'))
           AS may_restore,
       (SELECT system_identifier::text FROM pg_control_system()) AS system,
       clock_timestamp() AS at,
       current_setting('synchronous_standby_names') AS synchronous_standbys,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('archive_mode') AS archiving,
       inet_server_addr() IS NOT NULL AND inet_server_addr() <> inet_client_addr() AS listens_beyond,
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted
FROM pg_roles r WHERE r.rolname = current_user

-- name: position
-- why: how far a replica has to be, to have what the database has
SELECT pg_current_wal_lsn()::text

-- name: replica
-- why: whether it is one, and how far it is behind: nothing, where it has what the database had; else since its last commit
SELECT pg_is_in_recovery() AS recovering,
       CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= :position::text::pg_lsn THEN 0
            ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 'infinity')
       END::float8 AS behind_s,
       current_setting('hot_standby_feedback') = 'on' AS holds_back_cleaning
