-- First start of the key store's cluster, as docs/operations.md has it, with a password.
\set keys_password `cat /run/secrets/keys_password`
CREATE ROLE triage_keys LOGIN PASSWORD :'keys_password';
CREATE DATABASE triage_keys OWNER triage_keys;
