-- Releases say by what kinds of identifier each person is known: people are counted by the largest count over the kinds.

-- bits: 1 NHS number, 2 police reference, 4 name with birth date; null as the person is
ALTER TABLE release_row ADD COLUMN known_by int CHECK (known_by > 0);
ALTER TABLE release_row ADD CONSTRAINT release_row_person_known CHECK ((person_id IS NULL) = (known_by IS NULL)) NOT VALID;
-- metadata and checksums have no rows
-- squawk-ignore ban-drop-not-null
ALTER TABLE rendered_file ALTER COLUMN rows DROP NOT NULL;
