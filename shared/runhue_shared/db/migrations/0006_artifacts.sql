-- Artifacts: named collections of versions, each a list of files that refer to blobs.

CREATE TABLE artifact_type (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    project_id int NOT NULL REFERENCES project ON DELETE CASCADE,
    name text NOT NULL COLLATE "C",
    description text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, name)
);

-- A sequence holds the versions that runs log under its name, a portfolio those that were linked to it.
-- `next_version` is the number that the next member gets; no number is given twice.
CREATE TABLE artifact_collection (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    project_id int NOT NULL REFERENCES project ON DELETE CASCADE,
    type_id int NOT NULL REFERENCES artifact_type ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('sequence', 'portfolio')),
    name text NOT NULL COLLATE "C",
    description text,
    tags text[] NOT NULL DEFAULT '{}',
    next_version int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, name)
);
CREATE INDEX artifact_collection_by_age ON artifact_collection (project_id, id);
CREATE INDEX artifact_collection_by_type ON artifact_collection (type_id, id);

-- `collection_id` is the sequence it was logged to. `digest` is the client's over its manifest until several
-- manifests were merged, then ours. `metadata` is JSON as it came. `wanted_aliases` are given at commit.
-- `ttl_seconds`: -1 as the collection says, -2 never. `manifest` is the blob of the whole list of files.
CREATE TABLE artifact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    project_id int NOT NULL REFERENCES project ON DELETE CASCADE,
    collection_id bigint NOT NULL REFERENCES artifact_collection ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'COMMITTED', 'DELETED')),
    digest text NOT NULL,
    distributed_id text,
    description text,
    metadata text,
    ttl_seconds bigint NOT NULL DEFAULT -1,
    tags text[] NOT NULL DEFAULT '{}',
    wanted_aliases text[] NOT NULL DEFAULT '{}',
    run_id bigint REFERENCES run ON DELETE SET NULL,
    history_step bigint,
    size bigint NOT NULL DEFAULT 0,
    file_count int NOT NULL DEFAULT 0,
    manifest bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    committed_at timestamptz,
    FOREIGN KEY (team_id, manifest) REFERENCES blob
);
CREATE INDEX artifact_by_collection ON artifact (collection_id, id);
CREATE INDEX artifact_by_run ON artifact (run_id);
CREATE INDEX artifact_by_manifest ON artifact (team_id, manifest);
CREATE UNIQUE INDEX artifact_distributed ON artifact (collection_id, distributed_id) WHERE state = 'PENDING';
CREATE INDEX artifact_expiring ON artifact (committed_at) WHERE ttl_seconds > 0 AND state = 'COMMITTED';

-- Ids that clients chose, of artifacts and of sequences, and what became of them: another artifact when the
-- content was there already.
CREATE TABLE artifact_client (
    team_id int NOT NULL,
    client_id text NOT NULL COLLATE "C",
    artifact_id bigint REFERENCES artifact ON DELETE CASCADE,
    collection_id bigint REFERENCES artifact_collection ON DELETE CASCADE,
    PRIMARY KEY (team_id, client_id),
    CHECK (num_nonnulls(artifact_id, collection_id) = 1)
);
CREATE INDEX artifact_client_artifact ON artifact_client (artifact_id);
CREATE INDEX artifact_client_collection ON artifact_client (collection_id);

-- A version of a collection: a committed artifact under its number there.
CREATE TABLE artifact_membership (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    collection_id bigint NOT NULL REFERENCES artifact_collection ON DELETE CASCADE,
    artifact_id bigint NOT NULL REFERENCES artifact ON DELETE CASCADE,
    team_id int NOT NULL,
    version int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection_id, artifact_id),
    UNIQUE (collection_id, version)
);
CREATE INDEX artifact_membership_artifact ON artifact_membership (artifact_id);

CREATE TABLE artifact_alias (
    collection_id bigint NOT NULL,
    alias text NOT NULL COLLATE "C",
    artifact_id bigint NOT NULL,
    team_id int NOT NULL,
    PRIMARY KEY (collection_id, alias),
    FOREIGN KEY (collection_id, artifact_id) REFERENCES artifact_membership ON DELETE CASCADE
);
CREATE INDEX artifact_alias_artifact ON artifact_alias (artifact_id, collection_id);

-- Lists of files as clients sent them: a whole one, what is new on top of `base_id`, or one part of several.
-- `body` is NULL until its bytes are stored.
CREATE TABLE artifact_manifest (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    artifact_id bigint NOT NULL REFERENCES artifact ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('FULL', 'INCREMENTAL', 'PATCH')),
    base_id bigint REFERENCES artifact ON DELETE SET NULL,
    digest text NOT NULL DEFAULT '',
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (team_id, body) REFERENCES blob
);
CREATE INDEX artifact_manifest_artifact ON artifact_manifest (artifact_id, id);
CREATE INDEX artifact_manifest_base ON artifact_manifest (base_id);
CREATE INDEX artifact_manifest_body ON artifact_manifest (team_id, body);

-- Files, whose bytes are here, and references, the addresses of what lies elsewhere. Before the commit they keep
-- what was uploaded, after it they are the manifest's.
CREATE TABLE artifact_file (
    artifact_id bigint NOT NULL REFERENCES artifact ON DELETE CASCADE,
    path text NOT NULL COLLATE "C",
    team_id int NOT NULL,
    size bigint NOT NULL,
    md5 bytea CHECK (length(md5) = 16),
    sha256 bytea,
    reference text,
    PRIMARY KEY (artifact_id, path),
    FOREIGN KEY (team_id, sha256) REFERENCES blob,
    CHECK (num_nonnulls(sha256, reference) = 1 AND num_nonnulls(md5, reference) = 1)
);
CREATE INDEX artifact_file_by_blob ON artifact_file (team_id, sha256);

-- Which runs read ('input') and wrote ('output') an artifact.
CREATE TABLE run_artifact (
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    artifact_id bigint NOT NULL REFERENCES artifact ON DELETE CASCADE,
    team_id int NOT NULL,
    direction text NOT NULL CHECK (direction IN ('input', 'output')),
    used_as text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, direction, artifact_id)
);
CREATE INDEX run_artifact_by_artifact ON run_artifact (artifact_id, direction, run_id);
