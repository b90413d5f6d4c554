-- Runs of the wandb client: what its wire says beyond our own events, and what folding keeps of it.

ALTER TABLE run DROP CONSTRAINT run_state_check;
ALTER TABLE run ADD CONSTRAINT run_state_check CHECK (state IN
    ('pending', 'running', 'preempting', 'preempted', 'finished', 'failed', 'crashed', 'killed')) NOT VALID;

-- `client`: '' or the id of a wandb client (shared mode); NULL for a writer of our own SDK. `marks`: JSON, how
-- far each of the client's files is durable, moved with durable_seq in the transaction that stores a batch.
ALTER TABLE run_writer ADD COLUMN client text, ADD COLUMN marks text;
CREATE INDEX run_writer_by_client ON run_writer (run_id, client, no DESC) WHERE client IS NOT NULL;

-- A line may be said again under its number; `said` is the place in the run's order of the saying that holds.
ALTER TABLE run_console ADD COLUMN said bigint;

-- What only the wandb client tells of a run. `wandb_config`: the value of its config key `_wandb`, JSON.
-- `username`: who made the run, as the client names its owner.
CREATE TABLE run_client (
    run_id bigint PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    team_id int NOT NULL,
    wandb_config text NOT NULL DEFAULT '{}',
    username text,
    host text,
    program text,
    repo text,
    commit text,
    sweep text,
    description text
);

-- The last whole summary that each client of a run sent, verbatim JSON, and its place in the run's order.
CREATE TABLE client_summary (
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    team_id int NOT NULL,
    client text NOT NULL,
    ord bigint NOT NULL,
    summary text NOT NULL,
    PRIMARY KEY (run_id, client)
);

-- Metrics whose dotted name was made by flattening, with the JSON list of keys it came from.
CREATE TABLE nested_key (
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    team_id int NOT NULL,
    name text NOT NULL COLLATE "C",
    path text NOT NULL,
    PRIMARY KEY (run_id, name)
);

-- How logged media are shown: custom charts, and the class names of masks and boxes.
CREATE TABLE media_setting (
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    team_id int NOT NULL,
    kind text NOT NULL CHECK (kind IN ('chart', 'legacy_chart', 'mask_classes', 'box_classes')),
    key text NOT NULL,
    ord bigint NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (run_id, kind, key)
);

-- Operations, fields and arguments that a client asked for and the gateway does not know.
CREATE TABLE gateway_unknown (
    operation text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('operation', 'field', 'argument', 'type', 'input', 'path')),
    name text NOT NULL,
    client text NOT NULL,
    count bigint NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (operation, kind, name, client)
);

-- Further teams that a key is good for, beside its own: a person who logs to several.
CREATE TABLE api_key_reach (
    key_id int NOT NULL REFERENCES api_key ON DELETE CASCADE,
    team_id int NOT NULL REFERENCES team ON DELETE CASCADE,
    PRIMARY KEY (key_id, team_id)
);

-- Custom chart presets of a team (wandb's create_custom_chart).
CREATE TABLE custom_chart (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL REFERENCES team ON DELETE CASCADE,
    name text NOT NULL,
    display_name text NOT NULL,
    access text NOT NULL DEFAULT 'private',
    spec text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (team_id, name)
);
