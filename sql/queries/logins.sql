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
