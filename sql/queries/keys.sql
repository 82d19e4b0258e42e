-- name: claim
-- why: the first process to start marks the store with its root secret; a later one must hold the same
WITH claimed AS (
    INSERT INTO keystore.root_check (fingerprint) VALUES (:fingerprint) ON CONFLICT DO NOTHING RETURNING fingerprint
)
SELECT fingerprint FROM claimed UNION ALL SELECT fingerprint FROM keystore.root_check LIMIT 1

-- name: add
-- why: a lot of fresh keys at once
INSERT INTO keystore.data_key (ref, wrapped) SELECT * FROM unnest(:refs::uuid[], :wrapped::bytea[])

-- name: fetch
-- why: keys to read sealed text
SELECT ref, wrapped FROM keystore.data_key WHERE ref = ANY (:refs::uuid[])

-- name: existing
-- why: which keys there are, without reading them
SELECT ref FROM keystore.data_key WHERE ref = ANY (:refs::uuid[])

-- name: destroy
-- why: what was sealed under these keys is gone for ever
DELETE FROM keystore.data_key WHERE ref = ANY (:refs::uuid[]) RETURNING ref

-- name: not_under
-- why: what a rotation has still to wrap anew; bytes 2 to 5 say under which key it is wrapped
SELECT ref, wrapped FROM keystore.data_key WHERE substr(wrapped, 2, 4) <> :kek AND ref > :after
ORDER BY ref LIMIT :most

-- name: rewrap
-- why: only where nothing changed since it was read: a key that was destroyed meanwhile stays destroyed
UPDATE keystore.data_key k SET wrapped = x.new
FROM unnest(:refs::uuid[], :old::bytea[], :new::bytea[]) x (ref, old, new)
WHERE k.ref = x.ref AND k.wrapped = x.old

-- name: wrapped_under
-- why: under which keys anything is still wrapped
SELECT substr(wrapped, 2, 4) AS kek, count(*) AS n FROM keystore.data_key GROUP BY 1 ORDER BY 1
