-- Teams, runs, the inbox that makes an accepted batch durable, and what folding makes of it.
-- Every table carries team_id, so that tenants can be kept apart and distributed by it.

CREATE TABLE team (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_key (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL REFERENCES team ON DELETE CASCADE,
    name text NOT NULL,
    prefix text NOT NULL,
    digest bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);
CREATE INDEX api_key_prefix ON api_key (prefix);

CREATE TABLE project (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL REFERENCES team ON DELETE CASCADE,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (team_id, name)
);

-- config and summary are JSON text with NaN tokens allowed (jsonb holds neither NaN nor NUL);
-- *_ord hold, per key, the place in the order of edits that set it: the later edit wins.
CREATE TABLE run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    project_id int NOT NULL REFERENCES project ON DELETE CASCADE,
    public_id text NOT NULL COLLATE "C",
    part int NOT NULL,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'finished', 'failed', 'crashed', 'killed')),
    exit_code int,
    group_name text,
    job_type text,
    notes text,
    tags text[] NOT NULL DEFAULT '{}',
    metadata text NOT NULL DEFAULT '{}',
    config text NOT NULL DEFAULT '{}',
    config_ord text NOT NULL DEFAULT '{}',
    summary text NOT NULL DEFAULT '{}',
    summary_ord text NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at double precision NOT NULL,
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    deleted_at timestamptz,
    stop_requested boolean NOT NULL DEFAULT false,
    writer_count int NOT NULL DEFAULT 0,
    attributes_ord text NOT NULL DEFAULT '{}',
    UNIQUE (project_id, public_id)
) WITH (fillfactor = 70);
CREATE INDEX run_by_age ON run (project_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX run_running ON run (heartbeat_at) WHERE state = 'running';

-- One process that writes to a run. `no` counts the run's writers from 1 in the order in which they
-- started; a record's place in the run's order is ord = no << 40 | seq.
CREATE TABLE run_writer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    writer text NOT NULL,
    no int NOT NULL,
    part int NOT NULL,
    started_at double precision NOT NULL,
    durable_seq bigint NOT NULL DEFAULT -1,
    applied_seq bigint NOT NULL DEFAULT -1,
    received bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    joined_at timestamptz NOT NULL DEFAULT now(),
    finished_seq bigint,
    -- What the writer said when it finished, and the newest writer of the run at that time.
    finish_state text,
    exit_code int,
    finished_at double precision,
    finish_newest_no int,
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (run_id, writer),
    UNIQUE (run_id, no)
) WITH (fillfactor = 50);

-- Batches as received, from the commit that acknowledges them until they are folded.
CREATE TABLE inbox (
    part int NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    team_id int NOT NULL,
    run_id bigint NOT NULL,
    writer_id bigint NOT NULL,
    seq_lo bigint NOT NULL,
    seq_hi bigint NOT NULL,
    codec smallint NOT NULL,
    crc bigint NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    body bytea NOT NULL,
    PRIMARY KEY (part, id)
) PARTITION BY HASH (part);
CREATE TABLE inbox_0 PARTITION OF inbox FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE inbox_1 PARTITION OF inbox FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE inbox_2 PARTITION OF inbox FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE inbox_3 PARTITION OF inbox FOR VALUES WITH (MODULUS 4, REMAINDER 3);
ALTER TABLE inbox_0 ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE inbox_1 ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE inbox_2 ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE inbox_3 ALTER COLUMN body SET STORAGE EXTERNAL;

-- A partition that lost too large a share of its batches to dead letters stops until someone looks.
CREATE TABLE inbox_partition (
    part int PRIMARY KEY,
    team_id int NOT NULL,
    applied bigint NOT NULL DEFAULT 0,
    dead bigint NOT NULL DEFAULT 0,
    stopped_at timestamptz,
    stop_reason text
);

CREATE TABLE dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    writer_id bigint NOT NULL,
    seq_lo bigint NOT NULL,
    seq_hi bigint NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (writer_id, seq_lo)
);
CREATE INDEX dead_letter_run ON dead_letter (run_id);

-- What was refused of a run, counted by reason, for the run's page.
CREATE TABLE run_rejection (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    code text NOT NULL,
    field text NOT NULL DEFAULT '',
    message text NOT NULL,
    count bigint NOT NULL,
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id, code, field)
);

-- Metric names, one per project and casefold; `stream` is 'history' or 'system'.
CREATE TABLE metric (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    project_id int NOT NULL REFERENCES project ON DELETE CASCADE,
    stream text NOT NULL DEFAULT 'history' CHECK (stream IN ('history', 'system')),
    folded text NOT NULL COLLATE "C",
    name text NOT NULL,
    UNIQUE (project_id, stream, folded)
);

-- `type`: number, string, bool, null, other, or a media `_type`. `n` counts points, one per step;
-- fmin and fmax are over finite points, with the first step that reached them.
CREATE TABLE run_metric (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    metric_id int NOT NULL REFERENCES metric ON DELETE CASCADE,
    type text NOT NULL COLLATE "C",
    n bigint NOT NULL,
    first_step bigint NOT NULL,
    last_step bigint NOT NULL,
    last_ord bigint NOT NULL,
    last double precision,
    last_json text,
    fmin double precision,
    fmin_step bigint,
    fmax double precision,
    fmax_step bigint,
    nan_count bigint NOT NULL DEFAULT 0,
    inf_count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, metric_id, type)
) WITH (fillfactor = 60);
CREATE INDEX run_metric_by_metric ON run_metric (metric_id, type);

-- Leaves of a run's config by dotted path, typed; a JSON list or object is of type 'other'.
CREATE TABLE run_config (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    project_id int NOT NULL,
    path text NOT NULL COLLATE "C",
    type text NOT NULL COLLATE "C",
    number double precision,
    string text,
    bool boolean,
    PRIMARY KEY (run_id, path)
);
CREATE INDEX run_config_by_path ON run_config (project_id, path, type);

-- Summary leaves set by hand, typed; logged values are in run_metric.
CREATE TABLE run_summary (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    metric_id int NOT NULL REFERENCES metric ON DELETE CASCADE,
    type text NOT NULL COLLATE "C",
    number double precision,
    json text NOT NULL,
    PRIMARY KEY (run_id, metric_id)
);
CREATE INDEX run_summary_by_metric ON run_summary (metric_id, type);

CREATE TABLE metric_definition (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    name text NOT NULL,
    ord bigint NOT NULL,
    definition text NOT NULL,
    PRIMARY KEY (run_id, name)
);

-- Folded batches whose rows are not in chunks yet: the body as it came, all metrics in one.
CREATE TABLE tail (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    writer_no int NOT NULL,
    seq_lo bigint NOT NULL,
    seq_hi bigint NOT NULL,
    rows int NOT NULL,
    codec smallint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run_id, writer_no, seq_lo)
);
ALTER TABLE tail ALTER COLUMN body SET STORAGE EXTERNAL;

-- How much tail a run has; the compactor takes the runs of its partition that have enough.
CREATE TABLE run_tail (
    run_id bigint PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    team_id int NOT NULL,
    part int NOT NULL,
    rows bigint NOT NULL,
    bodies bigint NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX run_tail_by_part ON run_tail (part);

-- Points of one series, sorted by step, one per step; sealed from 65,536 on. crc is of body. No step is in
-- two chunks of a metric, whatever their type. fmin to inf_count are over this chunk's points.
CREATE TABLE series_chunk (
    id bigint GENERATED ALWAYS AS IDENTITY,
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    metric_id int NOT NULL,
    type text NOT NULL COLLATE "C",
    n int NOT NULL,
    step_min bigint NOT NULL,
    step_max bigint NOT NULL,
    fmin double precision,
    fmin_step bigint,
    fmax double precision,
    fmax_step bigint,
    nan_count bigint NOT NULL DEFAULT 0,
    inf_count bigint NOT NULL DEFAULT 0,
    codec smallint NOT NULL,
    crc bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run_id, metric_id, type, id)
);
ALTER TABLE series_chunk ALTER COLUMN body SET STORAGE EXTERNAL;

-- min/max pyramid over chunks: level l (0..4) has buckets of 16 * 4**l steps, a block has 1024 buckets.
CREATE TABLE series_lod (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    metric_id int NOT NULL,
    level smallint NOT NULL,
    block bigint NOT NULL,
    codec smallint NOT NULL,
    crc bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (run_id, metric_id, level, block)
);
ALTER TABLE series_lod ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE run_console (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    ord bigint NOT NULL,
    stream text NOT NULL,
    logged_at double precision NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (run_id, ord)
);

CREATE TABLE run_alert (
    team_id int NOT NULL,
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    ord bigint NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    level text NOT NULL,
    raised_at double precision NOT NULL,
    PRIMARY KEY (run_id, ord)
);

-- Events committed with what they tell of, until the relay has published them.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    project_id int NOT NULL,
    type text NOT NULL,
    payload text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
