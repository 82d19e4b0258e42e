-- name: count
-- why: one statement counts across processes, where a read and a write would let many through at once
INSERT INTO attempt AS a (bucket, opened_at) VALUES (:bucket, date_bin(:span, now(), 'epoch'))
ON CONFLICT (bucket, opened_at) DO UPDATE SET n = a.n + 1
RETURNING n, extract(epoch FROM opened_at + :span - now())::int + 1 AS seconds_left

-- name: forget
-- why: closed windows are of no further use
DELETE FROM attempt WHERE opened_at < now() - interval '1 day'
