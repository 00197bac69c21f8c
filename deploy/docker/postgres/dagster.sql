-- Dagster's database and the one role that uses it. Run by the administrator before every start, with psql: what
-- stands is left alone, a changed password is taken over, nothing is dropped.
\set ON_ERROR_STOP on
\set password `head -n 1 /run/secrets/dagster_password`
SET client_min_messages = warning;
SET password_encryption = 'scram-sha-256';

SELECT 'CREATE ROLE dagster' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dagster') \gexec
ALTER ROLE dagster LOGIN NOCREATEDB NOCREATEROLE PASSWORD :'password';
GRANT dagster TO CURRENT_USER;

SELECT 'CREATE DATABASE dagster OWNER dagster ENCODING ''UTF8'' TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'dagster')
\gexec
REVOKE ALL ON DATABASE dagster, postgres, template1 FROM PUBLIC;
