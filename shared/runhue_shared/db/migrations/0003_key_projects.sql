-- A key may be good for one project only, and a rotated key says which one took its place.

ALTER TABLE api_key
    ADD COLUMN project_id int REFERENCES project ON DELETE CASCADE,
    ADD COLUMN replaced_by int REFERENCES api_key ON DELETE SET NULL;
CREATE INDEX api_key_team ON api_key (team_id, id);
