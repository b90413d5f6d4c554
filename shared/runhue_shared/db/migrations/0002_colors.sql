-- Workspaces, and what colors are made of: values per scale and run, legends, versions. No color and no
-- bucket is stored per run, so that a new extreme rewrites one row (docs/color.md).
-- Tables written per run have no foreign keys: a check per row would cost more than the row.

CREATE TABLE workspace (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    project_id int NOT NULL REFERENCES project ON DELETE CASCADE,
    name text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    filter text NOT NULL DEFAULT '{}',
    search text NOT NULL DEFAULT '',
    hidden_runs text[] COLLATE "C" NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, name)
);
CREATE UNIQUE INDEX workspace_default ON workspace (project_id) WHERE is_default;

-- When someone last read a workspace's colors; colors that nobody reads are kept up to date less often.
CREATE TABLE workspace_read (
    workspace_id bigint PRIMARY KEY REFERENCES workspace ON DELETE CASCADE,
    team_id int NOT NULL,
    read_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- Every revision of a workspace's color settings; `settings` is complete JSON.
CREATE TABLE color_settings (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    settings_rev int NOT NULL,
    team_id int NOT NULL,
    settings text NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, settings_rev)
);

-- The values of one key over one population: what all workspaces with the same question share.
-- `identity` hashes the question (the columns from `filter` to `per_group`). `source` none is coloring by
-- run. `type` is the asked type, `resolved_type` the one in force. Counts are of runs that define the
-- range. `rechecked` false: transactions that did not see the scale may have changed a run; `recheck_after`
-- is the transaction id below which all must have ended before every run is looked at again.
CREATE TABLE scale (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id int NOT NULL,
    project_id int NOT NULL REFERENCES project ON DELETE CASCADE,
    identity text NOT NULL COLLATE "C",
    filter text NOT NULL,
    search text NOT NULL,
    hidden_runs text[] COLLATE "C" NOT NULL,
    source text NOT NULL CHECK (source IN ('none', 'metric', 'config', 'default')),
    key text NOT NULL COLLATE "C",
    folded text NOT NULL COLLATE "C",
    type text COLLATE "C",
    y text NOT NULL,
    coerce_numeric_strings boolean NOT NULL,
    per_group boolean NOT NULL,
    reads_config boolean NOT NULL,
    resolved_type text COLLATE "C",
    version bigint NOT NULL DEFAULT 0,
    population bigint NOT NULL DEFAULT 0,
    valued bigint NOT NULL DEFAULT 0,
    number_runs bigint NOT NULL DEFAULT 0,
    string_runs bigint NOT NULL DEFAULT 0,
    bool_runs bigint NOT NULL DEFAULT 0,
    rechecked boolean NOT NULL DEFAULT false,
    recheck_after xid8,
    flushed_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, identity)
) WITH (fillfactor = 50);
CREATE INDEX scale_unchecked ON scale (id) WHERE NOT rechecked;

-- Metrics by whose values a scale or its filter goes; by name, for they may not exist yet.
CREATE TABLE scale_metric (
    project_id int NOT NULL,
    folded text NOT NULL COLLATE "C",
    scale_id bigint NOT NULL REFERENCES scale ON DELETE CASCADE,
    team_id int NOT NULL,
    PRIMARY KEY (project_id, folded, scale_id)
);
CREATE INDEX scale_metric_scale ON scale_metric (scale_id);

-- Runs to look at again, appended by whoever changed them: a plain log, so that marking never waits and a
-- mark made while a flush runs is never swallowed by the one it deletes. run_id NULL: only the legends,
-- from marked_at on.
CREATE TABLE scale_dirty (
    scale_id bigint NOT NULL,
    run_id bigint,
    team_id int NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX scale_dirty_due ON scale_dirty (scale_id, marked_at);

-- A run of a scale's population: a number (booleans are 0 and 1), or a string, or the reason for neither
-- (no reason when coloring by run). `types` says which types the run has: 1 number, 2 string, 4 boolean.
-- `counted` is false for hidden runs of a scale over visible runs. Valid from scale version `v_from` on.
CREATE TABLE scale_value (
    scale_id bigint NOT NULL,
    run_id bigint NOT NULL,
    v_from bigint NOT NULL,
    number double precision,
    team_id int NOT NULL,
    types smallint NOT NULL,
    counted boolean NOT NULL,
    string text COLLATE "C",
    reason text COLLATE "C",
    PRIMARY KEY (scale_id, run_id)
) WITH (fillfactor = 80);
CREATE INDEX scale_value_number ON scale_value (scale_id, number) WHERE number IS NOT NULL AND counted;

-- What was in scale_value for the versions v_from <= version < v_to, for readers that page an older one.
CREATE TABLE scale_value_old (
    scale_id bigint NOT NULL,
    v_to bigint NOT NULL,
    run_id bigint NOT NULL,
    v_from bigint NOT NULL,
    number double precision,
    team_id int NOT NULL,
    counted boolean NOT NULL,
    string text COLLATE "C",
    reason text COLLATE "C",
    PRIMARY KEY (scale_id, v_to, run_id)
);

-- Runs per string, of runs that define the range.
CREATE TABLE scale_category (
    scale_id bigint NOT NULL,
    value text NOT NULL COLLATE "C",
    runs bigint NOT NULL,
    team_id int NOT NULL,
    PRIMARY KEY (scale_id, value)
) WITH (fillfactor = 70);
CREATE INDEX scale_category_rank ON scale_category (scale_id, runs DESC, value);

-- Scales per group: every run's own number or reason; scale_value holds its group's mean.
CREATE TABLE scale_group_run (
    scale_id bigint NOT NULL,
    run_id bigint NOT NULL,
    number double precision,
    team_id int NOT NULL,
    types smallint NOT NULL,
    counted boolean NOT NULL,
    group_name text COLLATE "C",
    string text COLLATE "C",
    reason text COLLATE "C",
    PRIMARY KEY (scale_id, run_id)
) WITH (fillfactor = 80);
CREATE INDEX scale_group_run_group ON scale_group_run (scale_id, md5(group_name));

CREATE FUNCTION forget_scale_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM scale_dirty WHERE scale_id IN (SELECT id FROM gone);
    DELETE FROM scale_value WHERE scale_id IN (SELECT id FROM gone);
    DELETE FROM scale_value_old WHERE scale_id IN (SELECT id FROM gone);
    DELETE FROM scale_category WHERE scale_id IN (SELECT id FROM gone);
    DELETE FROM scale_group_run WHERE scale_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
CREATE TRIGGER scale_gone AFTER DELETE ON scale REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_scale_rows();

-- Immutable; legend_id is the hash of the content. `thresholds` and `categories` (without Other) repeat what
-- is in the body, so that SQL can count buckets.
CREATE TABLE legend (
    team_id int NOT NULL,
    legend_id text NOT NULL COLLATE "C",
    body text NOT NULL,
    kind text NOT NULL COLLATE "C",
    positive boolean NOT NULL,
    thresholds double precision[] NOT NULL,
    categories text[] COLLATE "C" NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (team_id, legend_id)
);

-- The coloring in force. `domain_*` are the ends that the stable mode keeps; `cut_at` is when quantiles were
-- last taken. Huge scales only: `bucket_counts` are of version `counts_version`, taken at `counts_as_of`.
CREATE TABLE workspace_coloring (
    workspace_id bigint PRIMARY KEY REFERENCES workspace ON DELETE CASCADE,
    team_id int NOT NULL,
    scale_id bigint NOT NULL REFERENCES scale DEFERRABLE INITIALLY DEFERRED,
    version bigint NOT NULL,
    settings_rev int NOT NULL,
    legend_id text NOT NULL COLLATE "C",
    domain_low double precision,
    domain_high double precision,
    cut_at timestamptz,
    bucket_counts bigint[],
    counts_version bigint,
    counts_as_of timestamptz
) WITH (fillfactor = 50);
CREATE INDEX workspace_coloring_scale ON workspace_coloring (scale_id);

CREATE TABLE workspace_coloring_version (
    workspace_id bigint NOT NULL REFERENCES workspace ON DELETE CASCADE,
    version bigint NOT NULL,
    team_id int NOT NULL,
    scale_id bigint NOT NULL,
    scale_version bigint NOT NULL,
    settings_rev int NOT NULL,
    legend_id text NOT NULL COLLATE "C",
    population bigint NOT NULL,
    valued bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, version)
);
CREATE INDEX workspace_coloring_version_scale ON workspace_coloring_version (scale_id, scale_version);
CREATE INDEX workspace_coloring_version_legend ON workspace_coloring_version (team_id, legend_id);

-- Live runs of a project: the stable mode asks whether there are any.
CREATE INDEX run_live ON run (project_id) WHERE state = 'running';
