-- name: note
-- why: one operation on records, written with the act or before its answer is sent
INSERT INTO audit (team_id, operation, actor, role, device, query, ids) VALUES ($1, $2, $3, $4, $5, $6, $7)
