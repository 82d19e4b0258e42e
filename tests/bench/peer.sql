-- The peer of storing one entry: one statement, one row a transaction. Six entries an incident on average.
\set incident random(1, :incidents)
WITH entry AS (
    INSERT INTO peer.entry (team_id, id, incident_id, kind, author, received_at, body, salt, digest, link)
    VALUES (1, gen_random_uuid(), lpad(:incident::text, 32, '0')::uuid, 'officer', 1, now(),
            :body, :salt, :digest, :digest)
)
INSERT INTO peer.incident (team_id, id, revision, occurred_at, area, status)
VALUES (1, lpad(:incident::text, 32, '0')::uuid, 1, now(), 'luton_town_centre', 'open')
ON CONFLICT (team_id, id) DO UPDATE SET revision = peer.incident.revision + 1;
