-- First start of the main cluster: the logins and grants of docs/operations.md, with passwords.
\set owner_password `cat /run/secrets/owner_password`
\set service_password `cat /run/secrets/service_password`
CREATE ROLE triage_service NOLOGIN;
CREATE ROLE triage_auditor NOLOGIN;
CREATE ROLE triage_sealer NOLOGIN;
CREATE ROLE triage_owner LOGIN CREATEDB BYPASSRLS PASSWORD :'owner_password';
GRANT triage_service, triage_auditor, triage_sealer, pg_signal_backend TO triage_owner;
CREATE ROLE triage_app LOGIN PASSWORD :'service_password';
GRANT triage_service, triage_auditor, triage_sealer, pg_monitor TO triage_app;
CREATE DATABASE triage OWNER triage_owner;
