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

-- name: existing
-- why: which keys there are, without reading them
SELECT ref FROM keystore.data_key WHERE ref = ANY ($1::uuid[])

-- name: destroy
-- why: what was sealed under these keys is gone for ever
DELETE FROM keystore.data_key WHERE ref = ANY ($1::uuid[]) RETURNING ref

-- name: not_under
-- why: what a rotation has still to wrap anew; bytes 2 to 5 say under which key it is wrapped
SELECT ref, wrapped FROM keystore.data_key WHERE substr(wrapped, 2, 4) <> $1 AND ref > $2 ORDER BY ref LIMIT $3

-- name: rewrap
-- why: only where nothing changed since it was read: a key that was destroyed meanwhile stays destroyed
UPDATE keystore.data_key k SET wrapped = x.new FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) x (ref, old, new)
WHERE k.ref = x.ref AND k.wrapped = x.old

-- name: wrapped_under
-- why: under which keys anything is still wrapped
SELECT substr(wrapped, 2, 4) AS kek, count(*) AS n FROM keystore.data_key GROUP BY 1 ORDER BY 1
