-- name: partner
-- why: what kind of body decides which columns it may get
SELECT body, revoked_at IS NOT NULL AS revoked FROM partner
WHERE team_id = :team_id AND partner_id = :partner_id

-- name: end_expired
-- why: what expired makes room for what is signed next
UPDATE agreement SET revoked_at = :now
WHERE team_id = :team_id AND partner_id = :partner_id AND expires_at <= :now AND revoked_at IS NULL

-- name: sign
-- why: an agreement is written once
INSERT INTO agreement (team_id, agreement_id, partner_id, datasets, columns, areas, purpose, contact, signed_at,
                       expires_at)
VALUES (:team_id, :agreement_id, :partner_id, :datasets, :columns, :areas, :purpose, :contact, :signed_at,
        :expires_at)

-- name: revoke_agreement
-- why: its files are no longer served; what was pulled stays on the ledger
UPDATE agreement SET revoked_at = :now
WHERE team_id = :team_id AND agreement_id = :agreement_id AND revoked_at IS NULL RETURNING agreement_id

-- name: revoke_token
-- why: one token of several, named by the first digits of its hash
UPDATE token SET revoked_at = :now
WHERE team_id = :team_id AND partner_id = :partner_id AND encode(hash, 'hex') LIKE :name || '%'
  AND revoked_at IS NULL RETURNING hash

-- name: revoke_partner
-- why: the organisation is out: no token of it signs in any more
UPDATE partner SET revoked_at = :now
WHERE team_id = :team_id AND partner_id = :partner_id AND revoked_at IS NULL RETURNING partner_id

-- name: partners
-- why: who gets what of a team
SELECT partner_id, name, body, revoked_at FROM partner WHERE team_id = :team_id ORDER BY name, partner_id

-- name: agreements
-- why: as above
SELECT agreement_id, partner_id, datasets, purpose, contact, expires_at, revoked_at
FROM agreement WHERE team_id = :team_id ORDER BY signed_at, agreement_id

-- name: tokens
-- why: as above; a token is named by the first digits of its hash
SELECT left(encode(hash, 'hex'), 8) AS name, partner_id, used_at, revoked_at
FROM token WHERE team_id = :team_id AND partner_id IS NOT NULL ORDER BY created_at, hash

-- name: coming
-- why: what an address may serve a partner at all: agreements that were not revoked, expired ones told apart
SELECT agreement_id, datasets, columns, areas, purpose, expires_at <= :now AS expired
FROM agreement WHERE team_id = :team_id AND partner_id = :partner_id AND revoked_at IS NULL
ORDER BY signed_at, agreement_id
