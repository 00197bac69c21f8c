-- The trips database, the role that loads it and the role that reads it. Run by the administrator before every start,
-- with psql: what stands is left alone, changed passwords are taken over, nothing is dropped.
--
--   taxi_loader   owns the schemas taxi and marts and so may replace months there; nothing else anywhere
--                 (TAXI_POSTGRES_SCHEMA in the environment is another name than taxi)
--   taxi_reader   reads every table and view of these schemas, those of months still to come among them
\set ON_ERROR_STOP on
\set own_schema taxi
\getenv own_schema TAXI_POSTGRES_SCHEMA
\set loader_password `head -n 1 /run/secrets/taxi_loader_password`
\set reader_password `head -n 1 /run/secrets/taxi_reader_password`
SET client_min_messages = warning;
SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I', name) FROM unnest(ARRAY['taxi_loader', 'taxi_reader']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE taxi_loader LOGIN NOCREATEDB NOCREATEROLE PASSWORD :'loader_password';
ALTER ROLE taxi_reader LOGIN NOCREATEDB NOCREATEROLE PASSWORD :'reader_password';
-- To give the loader a schema, and to say what its future tables grant, an administrator must be one of its members; a
-- superuser is anyway, that of a managed server is not.
GRANT taxi_loader TO CURRENT_USER;

SELECT 'CREATE DATABASE taxi ENCODING ''UTF8'' TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'taxi')
\gexec
REVOKE ALL ON DATABASE taxi, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE taxi TO taxi_loader, taxi_reader;

\connect taxi
REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- The platform's tables, and those that analyses make of them.
SELECT format(
    'CREATE SCHEMA IF NOT EXISTS %1$I AUTHORIZATION taxi_loader; GRANT USAGE ON SCHEMA %1$I TO taxi_reader; '
    'GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO taxi_reader', name)
FROM unnest(ARRAY[:'own_schema', 'marts']) AS name
\gexec
-- Replacing a month makes new tables: they grant the same from the moment they are there.
ALTER DEFAULT PRIVILEGES FOR ROLE taxi_loader GRANT SELECT ON TABLES TO taxi_reader;
