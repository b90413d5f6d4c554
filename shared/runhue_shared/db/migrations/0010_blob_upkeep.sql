-- How long bytes are kept, and uploads that come in parts.

-- `touched_at`: when bytes were last stored, or found stored by somebody who is about to name them. Bytes that
-- no row names for a time lose their row, and `blob_removed` gets one in the same transaction; the bytes go
-- later, under a lock on that row (`removed_at`, NULL before). Whoever stores the same bytes meanwhile takes the
-- row away, once it is sure that they are there.
ALTER TABLE blob ADD COLUMN touched_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX blob_by_touch ON blob (touched_at, team_id, sha256);
CREATE TABLE blob_removed (
    team_id int NOT NULL,
    sha256 bytea NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    PRIMARY KEY (team_id, sha256)
);
CREATE INDEX blob_removed_waiting ON blob_removed (forgotten_at) WHERE removed_at IS NULL;

-- A project keeps the media of a run for so many days after the run's end; NULL is for ever. `html_network`:
-- whether HTML that runs log may load from other servers.
ALTER TABLE project
    ADD COLUMN media_retention_days int CHECK (media_retention_days BETWEEN 1 AND 36500),
    ADD COLUMN html_network boolean NOT NULL DEFAULT false;

-- A file that was kept long enough has its path and size, and no bytes.
ALTER TABLE run_file ALTER COLUMN sha256 DROP NOT NULL;
ALTER TABLE run_file ADD COLUMN expired_at timestamptz;
ALTER TABLE run_file ADD CONSTRAINT run_file_expired
    CHECK ((sha256 IS NULL) = (expired_at IS NOT NULL)) NOT VALID;

CREATE INDEX run_file_of_media ON run_file (run_id) WHERE sha256 IS NOT NULL AND path >= 'media/' AND path < 'media0';
CREATE INDEX run_by_deletion ON run (deleted_at) WHERE deleted_at IS NOT NULL;

-- `target` and `expected`: JSON, what the bytes become and what is known of them. All parts have `part_bytes`
-- bytes but the last; NULL, as `size`, where the client cuts the file as it likes. A part that came is a blob.
-- Whoever puts the parts together has the upload until `taken_until`; when that is done `stored` is the hash.
CREATE TABLE part_upload (
    id text PRIMARY KEY,
    team_id int NOT NULL,
    target text NOT NULL,
    expected text NOT NULL,
    size bigint,
    part_bytes bigint,
    taken_until timestamptz,
    stored bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    touched_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((size IS NULL) = (part_bytes IS NULL))
);
CREATE INDEX part_upload_by_touch ON part_upload (touched_at);
CREATE TABLE part_upload_part (
    upload_id text NOT NULL REFERENCES part_upload ON DELETE CASCADE,
    number int NOT NULL CHECK (number >= 1),
    team_id int NOT NULL,
    size bigint NOT NULL,
    md5 bytea NOT NULL CHECK (length(md5) = 16),
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (upload_id, number),
    FOREIGN KEY (team_id, sha256) REFERENCES blob
);
CREATE INDEX part_upload_part_by_blob ON part_upload_part (team_id, sha256);
