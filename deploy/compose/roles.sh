#!/bin/sh
# First start of either cluster: an owner that is no superuser, the service's plain login, a database of the owner's.
set -eu
psql --set ON_ERROR_STOP=1 --username postgres \
    --set owner="$(cat /run/secrets/owner_password)" --set service="$(cat /run/secrets/service_password)" <<'SQL'
CREATE ROLE owner LOGIN CREATEDB CREATEROLE BYPASSRLS PASSWORD :'owner';
CREATE ROLE service LOGIN PASSWORD :'service';
GRANT pg_monitor TO service; -- so that the metrics tell of the standbys
CREATE DATABASE triage OWNER owner;
SQL
