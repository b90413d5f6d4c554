-- Stored bytes, and the files of runs that name them. A file refers to its blob, and a blob's row is written
-- only after its bytes are in the store, so that no row names bytes that are not there.

CREATE TABLE blob (
    team_id int NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    md5 bytea NOT NULL CHECK (length(md5) = 16),
    size bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, sha256)
);
CREATE INDEX blob_by_md5 ON blob (team_id, md5);

CREATE TABLE run_file (
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    team_id int NOT NULL,
    path text NOT NULL COLLATE "C",
    sha256 bytea NOT NULL,
    size bigint NOT NULL,
    mimetype text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    PRIMARY KEY (run_id, path),
    FOREIGN KEY (team_id, sha256) REFERENCES blob
);
CREATE INDEX run_file_by_blob ON run_file (team_id, sha256);

-- Uploads that go straight to the object store and are adopted once they are there. `target`: JSON, what the
-- bytes become; `owner` and `name` say whose file it is, e.g. run:12 and media/images/a.png; `expected`: JSON,
-- what is known of the bytes.
CREATE TABLE direct_upload (
    key text PRIMARY KEY,
    team_id int NOT NULL,
    owner text NOT NULL,
    name text NOT NULL COLLATE "C",
    target text NOT NULL,
    expected text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX direct_upload_by_owner ON direct_upload (owner, name);
CREATE INDEX direct_upload_by_age ON direct_upload (created_at);
