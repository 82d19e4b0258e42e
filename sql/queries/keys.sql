-- name: claim
-- why: the first process to start marks the store with its root secret; a later one must hold the same
WITH claimed AS (
    INSERT INTO keystore.root_check (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING RETURNING fingerprint
)
SELECT fingerprint FROM claimed UNION ALL SELECT fingerprint FROM keystore.root_check LIMIT 1

-- name: add
-- why: a lot of fresh keys at once
INSERT INTO keystore.data_key (ref, wrapped) SELECT * FROM unnest($1::uuid[], $2::bytea[])

-- name: fetch
-- why: keys to read sealed text
SELECT ref, wrapped FROM keystore.data_key WHERE ref = ANY ($1::uuid[])
