#!/bin/sh
# Makes secrets/: a password for each login, the addresses that hold them, and the token for /metrics. Once: it refuses to
# replace any. The containers' users read the files, so the folder keeps others out.
set -eu
cd "$(dirname "$0")"
mkdir -m 700 secrets
cd secrets
umask 022
for name in superuser_password owner_password service_password keys_password metrics_token; do
    openssl rand -hex 24 >"$name"
done
printf 'postgresql://triage_app:%s@database/triage\n' "$(cat service_password)" >service_url
printf 'postgresql://triage_owner:%s@database/triage\n' "$(cat owner_password)" >owner_url
printf 'postgresql://triage_keys:%s@keys/triage_keys\n' "$(cat keys_password)" >keys_url
