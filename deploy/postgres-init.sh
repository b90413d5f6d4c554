#!/bin/sh
# Run once by the Postgres image on an empty volume. Services log in as `runhue`, which is no superuser:
# row-level security does not bind a superuser. psql quotes the password, whatever characters it has.
set -eu
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE runhue LOGIN PASSWORD :'password';
CREATE DATABASE runhue OWNER runhue;
SQL
