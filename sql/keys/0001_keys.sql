-- The key store: one wrapped data key for each sealed note, quarantined item and person.
-- It lies outside the main backup; deleting a row makes what it sealed unreadable for ever.
CREATE TABLE data_key (
    ref uuid PRIMARY KEY,
    wrapped bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);

-- Which root secret wrapped the keys here: a service started with another one stops instead of writing what nobody can read.
CREATE TABLE root_check (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    fingerprint bytea NOT NULL
);
