-- Written by `make schema` from the migrations; do not edit.
CREATE FUNCTION public.forget_scale_rows() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM scale_dirty WHERE scale_id IN (SELECT id FROM gone);
    DELETE FROM scale_value WHERE scale_id IN (SELECT id FROM gone);
    DELETE FROM scale_value_old WHERE scale_id IN (SELECT id FROM gone);
    DELETE FROM scale_category WHERE scale_id IN (SELECT id FROM gone);
    DELETE FROM scale_group_run WHERE scale_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
CREATE TABLE public.api_key (
    id integer NOT NULL,
    team_id integer NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    digest bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    project_id integer,
    replaced_by integer
);
ALTER TABLE public.api_key ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.api_key_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.api_key_reach (
    key_id integer NOT NULL,
    team_id integer NOT NULL
);
CREATE TABLE public.artifact (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    project_id integer NOT NULL,
    collection_id bigint CONSTRAINT artifact_collection_id_not_null1 NOT NULL,
    state text DEFAULT 'PENDING'::text NOT NULL,
    digest text NOT NULL,
    distributed_id text,
    description text,
    metadata text,
    ttl_seconds bigint DEFAULT '-1'::integer NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    wanted_aliases text[] DEFAULT '{}'::text[] NOT NULL,
    run_id bigint,
    history_step bigint,
    size bigint DEFAULT 0 NOT NULL,
    file_count integer DEFAULT 0 NOT NULL,
    manifest bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    committed_at timestamp with time zone,
    CONSTRAINT artifact_state_check CHECK ((state = ANY (ARRAY['PENDING'::text, 'COMMITTED'::text, 'DELETED'::text])))
);
CREATE TABLE public.artifact_alias (
    collection_id bigint NOT NULL,
    alias text NOT NULL COLLATE pg_catalog."C",
    artifact_id bigint NOT NULL,
    team_id integer NOT NULL
);
CREATE TABLE public.artifact_client (
    team_id integer NOT NULL,
    client_id text NOT NULL COLLATE pg_catalog."C",
    artifact_id bigint,
    collection_id bigint,
    CONSTRAINT artifact_client_check CHECK ((num_nonnulls(artifact_id, collection_id) = 1))
);
CREATE TABLE public.artifact_collection (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    project_id integer NOT NULL,
    type_id integer NOT NULL,
    kind text NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    description text,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    next_version integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT artifact_collection_kind_check CHECK ((kind = ANY (ARRAY['sequence'::text, 'portfolio'::text])))
);
ALTER TABLE public.artifact_collection ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.artifact_collection_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.artifact_file (
    artifact_id bigint NOT NULL,
    path text NOT NULL COLLATE pg_catalog."C",
    team_id integer NOT NULL,
    size bigint NOT NULL,
    md5 bytea,
    sha256 bytea,
    reference text,
    CONSTRAINT artifact_file_check CHECK (((num_nonnulls(sha256, reference) = 1) AND (num_nonnulls(md5, reference) = 1))),
    CONSTRAINT artifact_file_md5_check CHECK ((length(md5) = 16))
);
ALTER TABLE public.artifact ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.artifact_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.artifact_manifest (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    artifact_id bigint NOT NULL,
    kind text NOT NULL,
    base_id bigint,
    digest text DEFAULT ''::text NOT NULL,
    body bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT artifact_manifest_kind_check CHECK ((kind = ANY (ARRAY['FULL'::text, 'INCREMENTAL'::text, 'PATCH'::text])))
);
ALTER TABLE public.artifact_manifest ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.artifact_manifest_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.artifact_membership (
    id bigint NOT NULL,
    collection_id bigint NOT NULL,
    artifact_id bigint NOT NULL,
    team_id integer NOT NULL,
    version integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.artifact_membership ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.artifact_membership_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.artifact_type (
    id integer NOT NULL,
    team_id integer NOT NULL,
    project_id integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    description text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.artifact_type ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.artifact_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.blob (
    team_id integer NOT NULL,
    sha256 bytea NOT NULL,
    md5 bytea NOT NULL,
    size bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    touched_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT blob_md5_check CHECK ((length(md5) = 16)),
    CONSTRAINT blob_sha256_check CHECK ((length(sha256) = 32))
);
CREATE TABLE public.blob_removed (
    team_id integer NOT NULL,
    sha256 bytea NOT NULL,
    forgotten_at timestamp with time zone DEFAULT now() NOT NULL,
    removed_at timestamp with time zone
);
CREATE TABLE public.client_summary (
    run_id bigint NOT NULL,
    team_id integer NOT NULL,
    client text NOT NULL,
    ord bigint NOT NULL,
    summary text NOT NULL
);
CREATE TABLE public.color_settings (
    workspace_id bigint NOT NULL,
    settings_rev integer NOT NULL,
    team_id integer NOT NULL,
    settings text NOT NULL,
    set_by text NOT NULL,
    set_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.custom_chart (
    id integer NOT NULL,
    team_id integer NOT NULL,
    name text NOT NULL,
    display_name text NOT NULL,
    access text DEFAULT 'private'::text NOT NULL,
    spec text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    description text DEFAULT ''::text NOT NULL
);
ALTER TABLE public.custom_chart ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.custom_chart_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.dead_letter (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    writer_id bigint NOT NULL,
    seq_lo bigint NOT NULL,
    seq_hi bigint NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.dead_letter ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.dead_letter_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.direct_upload (
    key text NOT NULL,
    team_id integer NOT NULL,
    owner text NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    target text NOT NULL,
    expected text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
CREATE TABLE public.gateway_unknown (
    operation text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    client text NOT NULL,
    count bigint DEFAULT 1 NOT NULL,
    first_at timestamp with time zone DEFAULT now() NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT gateway_unknown_kind_check CHECK ((kind = ANY (ARRAY['operation'::text, 'field'::text, 'argument'::text, 'type'::text, 'input'::text, 'path'::text])))
);
CREATE TABLE public.inbox (
    part integer NOT NULL,
    id bigint NOT NULL,
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    writer_id bigint NOT NULL,
    seq_lo bigint NOT NULL,
    seq_hi bigint NOT NULL,
    codec smallint NOT NULL,
    crc bigint NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    body bytea NOT NULL
)
PARTITION BY HASH (part);
CREATE TABLE public.inbox_0 (
    part integer CONSTRAINT inbox_part_not_null NOT NULL,
    id bigint CONSTRAINT inbox_id_not_null NOT NULL,
    team_id integer CONSTRAINT inbox_team_id_not_null NOT NULL,
    run_id bigint CONSTRAINT inbox_run_id_not_null NOT NULL,
    writer_id bigint CONSTRAINT inbox_writer_id_not_null NOT NULL,
    seq_lo bigint CONSTRAINT inbox_seq_lo_not_null NOT NULL,
    seq_hi bigint CONSTRAINT inbox_seq_hi_not_null NOT NULL,
    codec smallint CONSTRAINT inbox_codec_not_null NOT NULL,
    crc bigint CONSTRAINT inbox_crc_not_null NOT NULL,
    received_at timestamp with time zone DEFAULT now() CONSTRAINT inbox_received_at_not_null NOT NULL,
    body bytea CONSTRAINT inbox_body_not_null NOT NULL
);
ALTER TABLE ONLY public.inbox_0 ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE public.inbox_1 (
    part integer CONSTRAINT inbox_part_not_null NOT NULL,
    id bigint CONSTRAINT inbox_id_not_null NOT NULL,
    team_id integer CONSTRAINT inbox_team_id_not_null NOT NULL,
    run_id bigint CONSTRAINT inbox_run_id_not_null NOT NULL,
    writer_id bigint CONSTRAINT inbox_writer_id_not_null NOT NULL,
    seq_lo bigint CONSTRAINT inbox_seq_lo_not_null NOT NULL,
    seq_hi bigint CONSTRAINT inbox_seq_hi_not_null NOT NULL,
    codec smallint CONSTRAINT inbox_codec_not_null NOT NULL,
    crc bigint CONSTRAINT inbox_crc_not_null NOT NULL,
    received_at timestamp with time zone DEFAULT now() CONSTRAINT inbox_received_at_not_null NOT NULL,
    body bytea CONSTRAINT inbox_body_not_null NOT NULL
);
ALTER TABLE ONLY public.inbox_1 ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE public.inbox_2 (
    part integer CONSTRAINT inbox_part_not_null NOT NULL,
    id bigint CONSTRAINT inbox_id_not_null NOT NULL,
    team_id integer CONSTRAINT inbox_team_id_not_null NOT NULL,
    run_id bigint CONSTRAINT inbox_run_id_not_null NOT NULL,
    writer_id bigint CONSTRAINT inbox_writer_id_not_null NOT NULL,
    seq_lo bigint CONSTRAINT inbox_seq_lo_not_null NOT NULL,
    seq_hi bigint CONSTRAINT inbox_seq_hi_not_null NOT NULL,
    codec smallint CONSTRAINT inbox_codec_not_null NOT NULL,
    crc bigint CONSTRAINT inbox_crc_not_null NOT NULL,
    received_at timestamp with time zone DEFAULT now() CONSTRAINT inbox_received_at_not_null NOT NULL,
    body bytea CONSTRAINT inbox_body_not_null NOT NULL
);
ALTER TABLE ONLY public.inbox_2 ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE public.inbox_3 (
    part integer CONSTRAINT inbox_part_not_null NOT NULL,
    id bigint CONSTRAINT inbox_id_not_null NOT NULL,
    team_id integer CONSTRAINT inbox_team_id_not_null NOT NULL,
    run_id bigint CONSTRAINT inbox_run_id_not_null NOT NULL,
    writer_id bigint CONSTRAINT inbox_writer_id_not_null NOT NULL,
    seq_lo bigint CONSTRAINT inbox_seq_lo_not_null NOT NULL,
    seq_hi bigint CONSTRAINT inbox_seq_hi_not_null NOT NULL,
    codec smallint CONSTRAINT inbox_codec_not_null NOT NULL,
    crc bigint CONSTRAINT inbox_crc_not_null NOT NULL,
    received_at timestamp with time zone DEFAULT now() CONSTRAINT inbox_received_at_not_null NOT NULL,
    body bytea CONSTRAINT inbox_body_not_null NOT NULL
);
ALTER TABLE ONLY public.inbox_3 ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE public.inbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.inbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.inbox_partition (
    part integer NOT NULL,
    team_id integer NOT NULL,
    applied bigint DEFAULT 0 NOT NULL,
    dead bigint DEFAULT 0 NOT NULL,
    stopped_at timestamp with time zone,
    stop_reason text
);
CREATE TABLE public.inspection (
    team_id integer NOT NULL,
    sha256 bytea NOT NULL,
    kind text NOT NULL,
    format text NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    facts text,
    code text,
    reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT inspection_check CHECK (((state = 'ready'::text) = (facts IS NOT NULL))),
    CONSTRAINT inspection_check1 CHECK (((state = 'refused'::text) = ((code IS NOT NULL) AND (reason IS NOT NULL)))),
    CONSTRAINT inspection_kind_check CHECK ((kind = ANY (ARRAY['image'::text, 'mask'::text, 'boxes'::text, 'audio'::text, 'video'::text, 'html'::text, 'molecule'::text, 'object3d'::text, 'points'::text, 'plotly'::text, 'table'::text, 'graph'::text, 'array'::text]))),
    CONSTRAINT inspection_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'ready'::text, 'refused'::text])))
)
WITH (fillfactor='70');
CREATE TABLE public.legend (
    team_id integer NOT NULL,
    legend_id text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    positive boolean NOT NULL,
    thresholds double precision[] NOT NULL,
    categories text[] NOT NULL COLLATE pg_catalog."C",
    used_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.media_setting (
    run_id bigint NOT NULL,
    team_id integer NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    ord bigint NOT NULL,
    value text NOT NULL,
    CONSTRAINT media_setting_kind_check CHECK ((kind = ANY (ARRAY['chart'::text, 'legacy_chart'::text, 'mask_classes'::text, 'box_classes'::text])))
);
CREATE TABLE public.metric (
    id integer NOT NULL,
    team_id integer NOT NULL,
    project_id integer NOT NULL,
    stream text DEFAULT 'history'::text NOT NULL,
    folded text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    CONSTRAINT metric_stream_check CHECK ((stream = ANY (ARRAY['history'::text, 'system'::text])))
);
CREATE TABLE public.metric_definition (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    name text NOT NULL,
    ord bigint NOT NULL,
    definition text NOT NULL
);
ALTER TABLE public.metric ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.metric_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.nested_key (
    run_id bigint NOT NULL,
    team_id integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL
);
CREATE TABLE public.outbox (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    project_id integer NOT NULL,
    type text NOT NULL,
    payload text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.part_upload (
    id text NOT NULL,
    team_id integer NOT NULL,
    target text NOT NULL,
    expected text NOT NULL,
    size bigint,
    part_bytes bigint,
    taken_until timestamp with time zone,
    stored bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    touched_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT part_upload_check CHECK (((size IS NULL) = (part_bytes IS NULL)))
);
CREATE TABLE public.part_upload_part (
    upload_id text NOT NULL,
    number integer NOT NULL,
    team_id integer NOT NULL,
    size bigint NOT NULL,
    md5 bytea NOT NULL,
    sha256 bytea NOT NULL,
    CONSTRAINT part_upload_part_md5_check CHECK ((length(md5) = 16)),
    CONSTRAINT part_upload_part_number_check CHECK ((number >= 1)),
    CONSTRAINT part_upload_part_sha256_check CHECK ((length(sha256) = 32))
);
CREATE TABLE public.project (
    id integer NOT NULL,
    team_id integer NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    media_retention_days integer,
    html_network boolean DEFAULT false NOT NULL,
    CONSTRAINT project_media_retention_days_check CHECK (((media_retention_days >= 1) AND (media_retention_days <= 36500)))
);
ALTER TABLE public.project ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.project_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.rendition (
    team_id integer NOT NULL,
    sha256 bytea NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    made bytea NOT NULL,
    size bigint NOT NULL,
    mimetype text NOT NULL
);
CREATE TABLE public.run (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    project_id integer NOT NULL,
    public_id text NOT NULL COLLATE pg_catalog."C",
    part integer NOT NULL,
    name text NOT NULL,
    state text DEFAULT 'running'::text NOT NULL,
    exit_code integer,
    group_name text,
    job_type text,
    notes text,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    metadata text DEFAULT '{}'::text NOT NULL,
    config text DEFAULT '{}'::text NOT NULL,
    config_ord text DEFAULT '{}'::text NOT NULL,
    summary text DEFAULT '{}'::text NOT NULL,
    summary_ord text DEFAULT '{}'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at double precision NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    deleted_at timestamp with time zone,
    stop_requested boolean DEFAULT false NOT NULL,
    writer_count integer DEFAULT 0 NOT NULL,
    attributes_ord text DEFAULT '{}'::text NOT NULL
)
WITH (fillfactor='70');
CREATE TABLE public.run_alert (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    ord bigint NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    level text NOT NULL,
    raised_at double precision NOT NULL
);
CREATE TABLE public.run_artifact (
    run_id bigint NOT NULL,
    artifact_id bigint NOT NULL,
    team_id integer NOT NULL,
    direction text NOT NULL,
    used_as text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT run_artifact_direction_check CHECK ((direction = ANY (ARRAY['input'::text, 'output'::text])))
);
CREATE TABLE public.run_client (
    run_id bigint NOT NULL,
    team_id integer NOT NULL,
    wandb_config text DEFAULT '{}'::text NOT NULL,
    username text,
    host text,
    program text,
    repo text,
    commit text,
    sweep text,
    description text
);
CREATE TABLE public.run_config (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    project_id integer NOT NULL,
    path text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    number double precision,
    string text,
    bool boolean
);
CREATE TABLE public.run_console (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    ord bigint NOT NULL,
    stream text NOT NULL,
    logged_at double precision NOT NULL,
    line text NOT NULL,
    said bigint,
    label text
);
CREATE TABLE public.run_file (
    run_id bigint NOT NULL,
    team_id integer NOT NULL,
    path text NOT NULL COLLATE pg_catalog."C",
    sha256 bytea,
    size bigint NOT NULL,
    mimetype text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    id bigint NOT NULL,
    expired_at timestamp with time zone
);
ALTER TABLE public.run_file ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.run_file_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE public.run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.run_metric (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    metric_id integer NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
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
    nan_count bigint DEFAULT 0 NOT NULL,
    inf_count bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='60');
CREATE TABLE public.run_rejection (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    code text NOT NULL,
    field text DEFAULT ''::text NOT NULL,
    message text NOT NULL,
    count bigint NOT NULL,
    last_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.run_rewind (
    run_id bigint NOT NULL,
    team_id integer NOT NULL,
    ord bigint NOT NULL,
    step bigint NOT NULL
);
CREATE TABLE public.run_summary (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    metric_id integer NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    number double precision,
    "json" text NOT NULL
);
CREATE TABLE public.run_tail (
    run_id bigint NOT NULL,
    team_id integer NOT NULL,
    part integer NOT NULL,
    rows bigint NOT NULL,
    bodies bigint NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.run_writer (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    writer text NOT NULL,
    no integer NOT NULL,
    part integer NOT NULL,
    started_at double precision NOT NULL,
    durable_seq bigint DEFAULT '-1'::integer NOT NULL,
    applied_seq bigint DEFAULT '-1'::integer NOT NULL,
    received bigint DEFAULT 0 NOT NULL,
    duplicates bigint DEFAULT 0 NOT NULL,
    joined_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_seq bigint,
    finish_state text,
    exit_code integer,
    finished_at double precision,
    finish_newest_no integer,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    client text,
    marks text
)
WITH (fillfactor='50');
ALTER TABLE public.run_writer ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.run_writer_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.scale (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    project_id integer NOT NULL,
    identity text NOT NULL COLLATE pg_catalog."C",
    filter text NOT NULL,
    search text NOT NULL,
    hidden_runs text[] NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL,
    key text NOT NULL COLLATE pg_catalog."C",
    folded text NOT NULL COLLATE pg_catalog."C",
    type text COLLATE pg_catalog."C",
    y text NOT NULL,
    coerce_numeric_strings boolean NOT NULL,
    per_group boolean NOT NULL,
    reads_config boolean NOT NULL,
    resolved_type text COLLATE pg_catalog."C",
    version bigint DEFAULT 0 NOT NULL,
    population bigint DEFAULT 0 NOT NULL,
    valued bigint DEFAULT 0 NOT NULL,
    number_runs bigint DEFAULT 0 NOT NULL,
    string_runs bigint DEFAULT 0 NOT NULL,
    bool_runs bigint DEFAULT 0 NOT NULL,
    rechecked boolean DEFAULT false NOT NULL,
    recheck_after xid8,
    flushed_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT scale_source_check CHECK ((source = ANY (ARRAY['none'::text, 'metric'::text, 'config'::text, 'default'::text])))
)
WITH (fillfactor='50');
CREATE TABLE public.scale_category (
    scale_id bigint NOT NULL,
    value text NOT NULL COLLATE pg_catalog."C",
    runs bigint NOT NULL,
    team_id integer NOT NULL
)
WITH (fillfactor='70');
CREATE TABLE public.scale_dirty (
    scale_id bigint NOT NULL,
    run_id bigint,
    team_id integer NOT NULL,
    marked_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.scale_group_run (
    scale_id bigint NOT NULL,
    run_id bigint NOT NULL,
    number double precision,
    team_id integer NOT NULL,
    types smallint NOT NULL,
    counted boolean NOT NULL,
    group_name text COLLATE pg_catalog."C",
    string text COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C"
)
WITH (fillfactor='80');
ALTER TABLE public.scale ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.scale_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.scale_metric (
    project_id integer NOT NULL,
    folded text NOT NULL COLLATE pg_catalog."C",
    scale_id bigint NOT NULL,
    team_id integer NOT NULL
);
CREATE TABLE public.scale_value (
    scale_id bigint NOT NULL,
    run_id bigint NOT NULL,
    v_from bigint NOT NULL,
    number double precision,
    team_id integer NOT NULL,
    types smallint NOT NULL,
    counted boolean NOT NULL,
    string text COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C"
)
WITH (fillfactor='80');
CREATE TABLE public.scale_value_old (
    scale_id bigint NOT NULL,
    v_to bigint NOT NULL,
    run_id bigint NOT NULL,
    v_from bigint NOT NULL,
    number double precision,
    team_id integer NOT NULL,
    counted boolean NOT NULL,
    string text COLLATE pg_catalog."C",
    reason text COLLATE pg_catalog."C"
);
CREATE TABLE public.schema_migration (
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.series_chunk (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    metric_id integer NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    n integer NOT NULL,
    step_min bigint NOT NULL,
    step_max bigint NOT NULL,
    fmin double precision,
    fmin_step bigint,
    fmax double precision,
    fmax_step bigint,
    nan_count bigint DEFAULT 0 NOT NULL,
    inf_count bigint DEFAULT 0 NOT NULL,
    codec smallint NOT NULL,
    crc bigint NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY public.series_chunk ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE public.series_chunk ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.series_chunk_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.series_lod (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    metric_id integer NOT NULL,
    level smallint NOT NULL,
    block bigint NOT NULL,
    codec smallint NOT NULL,
    crc bigint NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY public.series_lod ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE public.tail (
    team_id integer NOT NULL,
    run_id bigint NOT NULL,
    writer_no integer NOT NULL,
    seq_lo bigint NOT NULL,
    seq_hi bigint NOT NULL,
    rows integer NOT NULL,
    codec smallint NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY public.tail ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE public.team (
    id integer NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.team ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.team_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.workspace (
    id bigint NOT NULL,
    team_id integer NOT NULL,
    project_id integer NOT NULL,
    name text NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    filter text DEFAULT '{}'::text NOT NULL,
    search text DEFAULT ''::text NOT NULL,
    hidden_runs text[] DEFAULT '{}'::text[] NOT NULL COLLATE pg_catalog."C",
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.workspace_coloring (
    workspace_id bigint NOT NULL,
    team_id integer NOT NULL,
    scale_id bigint NOT NULL,
    version bigint NOT NULL,
    settings_rev integer NOT NULL,
    legend_id text NOT NULL COLLATE pg_catalog."C",
    domain_low double precision,
    domain_high double precision,
    cut_at timestamp with time zone,
    bucket_counts bigint[],
    counts_version bigint,
    counts_as_of timestamp with time zone
)
WITH (fillfactor='50');
CREATE TABLE public.workspace_coloring_version (
    workspace_id bigint NOT NULL,
    version bigint NOT NULL,
    team_id integer NOT NULL,
    scale_id bigint NOT NULL,
    scale_version bigint NOT NULL,
    settings_rev integer NOT NULL,
    legend_id text NOT NULL COLLATE pg_catalog."C",
    population bigint NOT NULL,
    valued bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.workspace ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.workspace_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.workspace_read (
    workspace_id bigint NOT NULL,
    team_id integer NOT NULL,
    read_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');
ALTER TABLE ONLY public.inbox ATTACH PARTITION public.inbox_0 FOR VALUES WITH (modulus 4, remainder 0);
ALTER TABLE ONLY public.inbox ATTACH PARTITION public.inbox_1 FOR VALUES WITH (modulus 4, remainder 1);
ALTER TABLE ONLY public.inbox ATTACH PARTITION public.inbox_2 FOR VALUES WITH (modulus 4, remainder 2);
ALTER TABLE ONLY public.inbox ATTACH PARTITION public.inbox_3 FOR VALUES WITH (modulus 4, remainder 3);
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_key_reach
    ADD CONSTRAINT api_key_reach_pkey PRIMARY KEY (key_id, team_id);
ALTER TABLE ONLY public.artifact_alias
    ADD CONSTRAINT artifact_alias_pkey PRIMARY KEY (collection_id, alias);
ALTER TABLE ONLY public.artifact_client
    ADD CONSTRAINT artifact_client_pkey PRIMARY KEY (team_id, client_id);
ALTER TABLE ONLY public.artifact_collection
    ADD CONSTRAINT artifact_collection_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.artifact_collection
    ADD CONSTRAINT artifact_collection_project_id_name_key UNIQUE (project_id, name);
ALTER TABLE ONLY public.artifact_file
    ADD CONSTRAINT artifact_file_pkey PRIMARY KEY (artifact_id, path);
ALTER TABLE ONLY public.artifact_manifest
    ADD CONSTRAINT artifact_manifest_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.artifact_membership
    ADD CONSTRAINT artifact_membership_collection_id_version_key UNIQUE (collection_id, version);
ALTER TABLE ONLY public.artifact_membership
    ADD CONSTRAINT artifact_membership_id_key UNIQUE (id);
ALTER TABLE ONLY public.artifact_membership
    ADD CONSTRAINT artifact_membership_pkey PRIMARY KEY (collection_id, artifact_id);
ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT artifact_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.artifact_type
    ADD CONSTRAINT artifact_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.artifact_type
    ADD CONSTRAINT artifact_type_project_id_name_key UNIQUE (project_id, name);
ALTER TABLE ONLY public.blob
    ADD CONSTRAINT blob_pkey PRIMARY KEY (team_id, sha256);
ALTER TABLE ONLY public.blob_removed
    ADD CONSTRAINT blob_removed_pkey PRIMARY KEY (team_id, sha256);
ALTER TABLE ONLY public.client_summary
    ADD CONSTRAINT client_summary_pkey PRIMARY KEY (run_id, client);
ALTER TABLE ONLY public.color_settings
    ADD CONSTRAINT color_settings_pkey PRIMARY KEY (workspace_id, settings_rev);
ALTER TABLE ONLY public.custom_chart
    ADD CONSTRAINT custom_chart_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.custom_chart
    ADD CONSTRAINT custom_chart_team_id_name_key UNIQUE (team_id, name);
ALTER TABLE ONLY public.dead_letter
    ADD CONSTRAINT dead_letter_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dead_letter
    ADD CONSTRAINT dead_letter_writer_id_seq_lo_key UNIQUE (writer_id, seq_lo);
ALTER TABLE ONLY public.direct_upload
    ADD CONSTRAINT direct_upload_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.gateway_unknown
    ADD CONSTRAINT gateway_unknown_pkey PRIMARY KEY (operation, kind, name, client);
ALTER TABLE ONLY public.inbox
    ADD CONSTRAINT inbox_pkey PRIMARY KEY (part, id);
ALTER TABLE ONLY public.inbox_0
    ADD CONSTRAINT inbox_0_pkey PRIMARY KEY (part, id);
ALTER TABLE ONLY public.inbox_1
    ADD CONSTRAINT inbox_1_pkey PRIMARY KEY (part, id);
ALTER TABLE ONLY public.inbox_2
    ADD CONSTRAINT inbox_2_pkey PRIMARY KEY (part, id);
ALTER TABLE ONLY public.inbox_3
    ADD CONSTRAINT inbox_3_pkey PRIMARY KEY (part, id);
ALTER TABLE ONLY public.inbox_partition
    ADD CONSTRAINT inbox_partition_pkey PRIMARY KEY (part);
ALTER TABLE ONLY public.inspection
    ADD CONSTRAINT inspection_pkey PRIMARY KEY (team_id, sha256, kind);
ALTER TABLE ONLY public.legend
    ADD CONSTRAINT legend_pkey PRIMARY KEY (team_id, legend_id);
ALTER TABLE ONLY public.media_setting
    ADD CONSTRAINT media_setting_pkey PRIMARY KEY (run_id, kind, key);
ALTER TABLE ONLY public.metric_definition
    ADD CONSTRAINT metric_definition_pkey PRIMARY KEY (run_id, name);
ALTER TABLE ONLY public.metric
    ADD CONSTRAINT metric_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.metric
    ADD CONSTRAINT metric_project_id_stream_folded_key UNIQUE (project_id, stream, folded);
ALTER TABLE ONLY public.nested_key
    ADD CONSTRAINT nested_key_pkey PRIMARY KEY (run_id, name);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.part_upload_part
    ADD CONSTRAINT part_upload_part_pkey PRIMARY KEY (upload_id, number);
ALTER TABLE ONLY public.part_upload
    ADD CONSTRAINT part_upload_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_team_id_name_key UNIQUE (team_id, name);
ALTER TABLE ONLY public.rendition
    ADD CONSTRAINT rendition_pkey PRIMARY KEY (team_id, sha256, kind, name);
ALTER TABLE ONLY public.run_alert
    ADD CONSTRAINT run_alert_pkey PRIMARY KEY (run_id, ord);
ALTER TABLE ONLY public.run_artifact
    ADD CONSTRAINT run_artifact_pkey PRIMARY KEY (run_id, direction, artifact_id);
ALTER TABLE ONLY public.run_client
    ADD CONSTRAINT run_client_pkey PRIMARY KEY (run_id);
ALTER TABLE ONLY public.run_config
    ADD CONSTRAINT run_config_pkey PRIMARY KEY (run_id, path);
ALTER TABLE ONLY public.run_console
    ADD CONSTRAINT run_console_pkey PRIMARY KEY (run_id, ord);
ALTER TABLE public.run_file
    ADD CONSTRAINT run_file_expired CHECK (((sha256 IS NULL) = (expired_at IS NOT NULL))) NOT VALID;
ALTER TABLE ONLY public.run_file
    ADD CONSTRAINT run_file_id_key UNIQUE (id);
ALTER TABLE ONLY public.run_file
    ADD CONSTRAINT run_file_pkey PRIMARY KEY (run_id, path);
ALTER TABLE ONLY public.run_metric
    ADD CONSTRAINT run_metric_pkey PRIMARY KEY (run_id, metric_id, type);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_project_id_public_id_key UNIQUE (project_id, public_id);
ALTER TABLE ONLY public.run_rejection
    ADD CONSTRAINT run_rejection_pkey PRIMARY KEY (run_id, code, field);
ALTER TABLE ONLY public.run_rewind
    ADD CONSTRAINT run_rewind_pkey PRIMARY KEY (run_id, ord);
ALTER TABLE public.run
    ADD CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'running'::text, 'preempting'::text, 'preempted'::text, 'finished'::text, 'failed'::text, 'crashed'::text, 'killed'::text]))) NOT VALID;
ALTER TABLE ONLY public.run_summary
    ADD CONSTRAINT run_summary_pkey PRIMARY KEY (run_id, metric_id);
ALTER TABLE ONLY public.run_tail
    ADD CONSTRAINT run_tail_pkey PRIMARY KEY (run_id);
ALTER TABLE ONLY public.run_writer
    ADD CONSTRAINT run_writer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.run_writer
    ADD CONSTRAINT run_writer_run_id_no_key UNIQUE (run_id, no);
ALTER TABLE ONLY public.run_writer
    ADD CONSTRAINT run_writer_run_id_writer_key UNIQUE (run_id, writer);
ALTER TABLE ONLY public.scale_category
    ADD CONSTRAINT scale_category_pkey PRIMARY KEY (scale_id, value);
ALTER TABLE ONLY public.scale_group_run
    ADD CONSTRAINT scale_group_run_pkey PRIMARY KEY (scale_id, run_id);
ALTER TABLE ONLY public.scale_metric
    ADD CONSTRAINT scale_metric_pkey PRIMARY KEY (project_id, folded, scale_id);
ALTER TABLE ONLY public.scale
    ADD CONSTRAINT scale_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scale
    ADD CONSTRAINT scale_project_id_identity_key UNIQUE (project_id, identity);
ALTER TABLE ONLY public.scale_value_old
    ADD CONSTRAINT scale_value_old_pkey PRIMARY KEY (scale_id, v_to, run_id);
ALTER TABLE ONLY public.scale_value
    ADD CONSTRAINT scale_value_pkey PRIMARY KEY (scale_id, run_id);
ALTER TABLE ONLY public.schema_migration
    ADD CONSTRAINT schema_migration_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.series_chunk
    ADD CONSTRAINT series_chunk_pkey PRIMARY KEY (run_id, metric_id, type, id);
ALTER TABLE ONLY public.series_lod
    ADD CONSTRAINT series_lod_pkey PRIMARY KEY (run_id, metric_id, level, block);
ALTER TABLE ONLY public.tail
    ADD CONSTRAINT tail_pkey PRIMARY KEY (run_id, writer_no, seq_lo);
ALTER TABLE ONLY public.team
    ADD CONSTRAINT team_name_key UNIQUE (name);
ALTER TABLE ONLY public.team
    ADD CONSTRAINT team_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.workspace_coloring
    ADD CONSTRAINT workspace_coloring_pkey PRIMARY KEY (workspace_id);
ALTER TABLE ONLY public.workspace_coloring_version
    ADD CONSTRAINT workspace_coloring_version_pkey PRIMARY KEY (workspace_id, version);
ALTER TABLE ONLY public.workspace
    ADD CONSTRAINT workspace_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.workspace
    ADD CONSTRAINT workspace_project_id_name_key UNIQUE (project_id, name);
ALTER TABLE ONLY public.workspace_read
    ADD CONSTRAINT workspace_read_pkey PRIMARY KEY (workspace_id);
CREATE INDEX api_key_prefix ON public.api_key USING btree (prefix);
CREATE INDEX api_key_team ON public.api_key USING btree (team_id, id);
CREATE INDEX artifact_alias_artifact ON public.artifact_alias USING btree (artifact_id, collection_id);
CREATE INDEX artifact_by_collection ON public.artifact USING btree (collection_id, id);
CREATE INDEX artifact_by_manifest ON public.artifact USING btree (team_id, manifest);
CREATE INDEX artifact_by_run ON public.artifact USING btree (run_id);
CREATE INDEX artifact_client_artifact ON public.artifact_client USING btree (artifact_id);
CREATE INDEX artifact_client_collection ON public.artifact_client USING btree (collection_id);
CREATE INDEX artifact_collection_by_age ON public.artifact_collection USING btree (project_id, id);
CREATE INDEX artifact_collection_by_type ON public.artifact_collection USING btree (type_id, id);
CREATE UNIQUE INDEX artifact_distributed ON public.artifact USING btree (collection_id, distributed_id) WHERE (state = 'PENDING'::text);
CREATE INDEX artifact_expiring ON public.artifact USING btree (committed_at) WHERE ((ttl_seconds > 0) AND (state = 'COMMITTED'::text));
CREATE INDEX artifact_file_by_blob ON public.artifact_file USING btree (team_id, sha256);
CREATE INDEX artifact_manifest_artifact ON public.artifact_manifest USING btree (artifact_id, id);
CREATE INDEX artifact_manifest_base ON public.artifact_manifest USING btree (base_id);
CREATE INDEX artifact_manifest_body ON public.artifact_manifest USING btree (team_id, body);
CREATE INDEX artifact_membership_artifact ON public.artifact_membership USING btree (artifact_id);
CREATE INDEX blob_by_md5 ON public.blob USING btree (team_id, md5);
CREATE INDEX blob_by_touch ON public.blob USING btree (touched_at, team_id, sha256);
CREATE INDEX blob_removed_waiting ON public.blob_removed USING btree (forgotten_at) WHERE (removed_at IS NULL);
CREATE INDEX dead_letter_run ON public.dead_letter USING btree (run_id);
CREATE INDEX direct_upload_by_age ON public.direct_upload USING btree (created_at);
CREATE INDEX direct_upload_by_owner ON public.direct_upload USING btree (owner, name);
CREATE INDEX inspection_waiting ON public.inspection USING btree (team_id, ((attempts > 0)), due_at) WHERE (state = 'waiting'::text);
CREATE INDEX part_upload_by_touch ON public.part_upload USING btree (touched_at);
CREATE INDEX part_upload_part_by_blob ON public.part_upload_part USING btree (team_id, sha256);
CREATE INDEX rendition_by_blob ON public.rendition USING btree (team_id, made);
CREATE INDEX run_artifact_by_artifact ON public.run_artifact USING btree (artifact_id, direction, run_id);
CREATE INDEX run_by_age ON public.run USING btree (project_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);
CREATE INDEX run_by_deletion ON public.run USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX run_config_by_path ON public.run_config USING btree (project_id, path, type);
CREATE INDEX run_file_by_blob ON public.run_file USING btree (team_id, sha256);
CREATE INDEX run_file_of_media ON public.run_file USING btree (run_id) WHERE ((sha256 IS NOT NULL) AND (path >= 'media/'::text) AND (path < 'media0'::text));
CREATE INDEX run_live ON public.run USING btree (project_id) WHERE (state = 'running'::text);
CREATE INDEX run_metric_by_metric ON public.run_metric USING btree (metric_id, type);
CREATE INDEX run_preempting ON public.run USING btree (heartbeat_at) WHERE (state = 'preempting'::text);
CREATE INDEX run_running ON public.run USING btree (heartbeat_at) WHERE (state = 'running'::text);
CREATE INDEX run_summary_by_metric ON public.run_summary USING btree (metric_id, type);
CREATE INDEX run_tail_by_part ON public.run_tail USING btree (part);
CREATE INDEX run_writer_by_client ON public.run_writer USING btree (run_id, client, no DESC) WHERE (client IS NOT NULL);
CREATE INDEX scale_category_rank ON public.scale_category USING btree (scale_id, runs DESC, value);
CREATE INDEX scale_dirty_due ON public.scale_dirty USING btree (scale_id, marked_at);
CREATE INDEX scale_group_run_group ON public.scale_group_run USING btree (scale_id, md5(group_name));
CREATE INDEX scale_metric_scale ON public.scale_metric USING btree (scale_id);
CREATE INDEX scale_unchecked ON public.scale USING btree (id) WHERE (NOT rechecked);
CREATE INDEX scale_value_number ON public.scale_value USING btree (scale_id, number) WHERE ((number IS NOT NULL) AND counted);
CREATE INDEX workspace_coloring_scale ON public.workspace_coloring USING btree (scale_id);
CREATE INDEX workspace_coloring_version_legend ON public.workspace_coloring_version USING btree (team_id, legend_id);
CREATE INDEX workspace_coloring_version_scale ON public.workspace_coloring_version USING btree (scale_id, scale_version);
CREATE UNIQUE INDEX workspace_default ON public.workspace USING btree (project_id) WHERE is_default;
ALTER INDEX public.inbox_pkey ATTACH PARTITION public.inbox_0_pkey;
ALTER INDEX public.inbox_pkey ATTACH PARTITION public.inbox_1_pkey;
ALTER INDEX public.inbox_pkey ATTACH PARTITION public.inbox_2_pkey;
ALTER INDEX public.inbox_pkey ATTACH PARTITION public.inbox_3_pkey;
CREATE TRIGGER scale_gone AFTER DELETE ON public.scale REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION public.forget_scale_rows();
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.api_key_reach
    ADD CONSTRAINT api_key_reach_key_id_fkey FOREIGN KEY (key_id) REFERENCES public.api_key(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.api_key_reach
    ADD CONSTRAINT api_key_reach_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.team(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES public.api_key(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.team(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_alias
    ADD CONSTRAINT artifact_alias_collection_id_artifact_id_fkey FOREIGN KEY (collection_id, artifact_id) REFERENCES public.artifact_membership(collection_id, artifact_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_client
    ADD CONSTRAINT artifact_client_artifact_id_fkey FOREIGN KEY (artifact_id) REFERENCES public.artifact(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_client
    ADD CONSTRAINT artifact_client_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.artifact_collection(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT artifact_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.artifact_collection(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_collection
    ADD CONSTRAINT artifact_collection_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_collection
    ADD CONSTRAINT artifact_collection_type_id_fkey FOREIGN KEY (type_id) REFERENCES public.artifact_type(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_file
    ADD CONSTRAINT artifact_file_artifact_id_fkey FOREIGN KEY (artifact_id) REFERENCES public.artifact(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_file
    ADD CONSTRAINT artifact_file_team_id_sha256_fkey FOREIGN KEY (team_id, sha256) REFERENCES public.blob(team_id, sha256);
ALTER TABLE ONLY public.artifact_manifest
    ADD CONSTRAINT artifact_manifest_artifact_id_fkey FOREIGN KEY (artifact_id) REFERENCES public.artifact(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_manifest
    ADD CONSTRAINT artifact_manifest_base_id_fkey FOREIGN KEY (base_id) REFERENCES public.artifact(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.artifact_manifest
    ADD CONSTRAINT artifact_manifest_team_id_body_fkey FOREIGN KEY (team_id, body) REFERENCES public.blob(team_id, sha256);
ALTER TABLE ONLY public.artifact_membership
    ADD CONSTRAINT artifact_membership_artifact_id_fkey FOREIGN KEY (artifact_id) REFERENCES public.artifact(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact_membership
    ADD CONSTRAINT artifact_membership_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES public.artifact_collection(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT artifact_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT artifact_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.artifact
    ADD CONSTRAINT artifact_team_id_manifest_fkey FOREIGN KEY (team_id, manifest) REFERENCES public.blob(team_id, sha256);
ALTER TABLE ONLY public.artifact_type
    ADD CONSTRAINT artifact_type_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.client_summary
    ADD CONSTRAINT client_summary_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.color_settings
    ADD CONSTRAINT color_settings_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspace(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.custom_chart
    ADD CONSTRAINT custom_chart_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.team(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.dead_letter
    ADD CONSTRAINT dead_letter_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.inspection
    ADD CONSTRAINT inspection_team_id_sha256_fkey FOREIGN KEY (team_id, sha256) REFERENCES public.blob(team_id, sha256) ON DELETE CASCADE;
ALTER TABLE ONLY public.media_setting
    ADD CONSTRAINT media_setting_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.metric_definition
    ADD CONSTRAINT metric_definition_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.metric
    ADD CONSTRAINT metric_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.nested_key
    ADD CONSTRAINT nested_key_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.part_upload_part
    ADD CONSTRAINT part_upload_part_team_id_sha256_fkey FOREIGN KEY (team_id, sha256) REFERENCES public.blob(team_id, sha256);
ALTER TABLE ONLY public.part_upload_part
    ADD CONSTRAINT part_upload_part_upload_id_fkey FOREIGN KEY (upload_id) REFERENCES public.part_upload(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_team_id_fkey FOREIGN KEY (team_id) REFERENCES public.team(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.rendition
    ADD CONSTRAINT rendition_team_id_made_fkey FOREIGN KEY (team_id, made) REFERENCES public.blob(team_id, sha256);
ALTER TABLE ONLY public.rendition
    ADD CONSTRAINT rendition_team_id_sha256_kind_fkey FOREIGN KEY (team_id, sha256, kind) REFERENCES public.inspection(team_id, sha256, kind) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_alert
    ADD CONSTRAINT run_alert_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_artifact
    ADD CONSTRAINT run_artifact_artifact_id_fkey FOREIGN KEY (artifact_id) REFERENCES public.artifact(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_artifact
    ADD CONSTRAINT run_artifact_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_client
    ADD CONSTRAINT run_client_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_config
    ADD CONSTRAINT run_config_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_console
    ADD CONSTRAINT run_console_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_file
    ADD CONSTRAINT run_file_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_file
    ADD CONSTRAINT run_file_team_id_sha256_fkey FOREIGN KEY (team_id, sha256) REFERENCES public.blob(team_id, sha256);
ALTER TABLE ONLY public.run_metric
    ADD CONSTRAINT run_metric_metric_id_fkey FOREIGN KEY (metric_id) REFERENCES public.metric(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_metric
    ADD CONSTRAINT run_metric_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_rejection
    ADD CONSTRAINT run_rejection_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_rewind
    ADD CONSTRAINT run_rewind_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_summary
    ADD CONSTRAINT run_summary_metric_id_fkey FOREIGN KEY (metric_id) REFERENCES public.metric(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_summary
    ADD CONSTRAINT run_summary_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_tail
    ADD CONSTRAINT run_tail_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.run_writer
    ADD CONSTRAINT run_writer_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.scale_metric
    ADD CONSTRAINT scale_metric_scale_id_fkey FOREIGN KEY (scale_id) REFERENCES public.scale(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.scale
    ADD CONSTRAINT scale_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.series_chunk
    ADD CONSTRAINT series_chunk_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.series_lod
    ADD CONSTRAINT series_lod_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.tail
    ADD CONSTRAINT tail_run_id_fkey FOREIGN KEY (run_id) REFERENCES public.run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.workspace_coloring
    ADD CONSTRAINT workspace_coloring_scale_id_fkey FOREIGN KEY (scale_id) REFERENCES public.scale(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.workspace_coloring_version
    ADD CONSTRAINT workspace_coloring_version_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspace(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.workspace_coloring
    ADD CONSTRAINT workspace_coloring_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspace(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.workspace
    ADD CONSTRAINT workspace_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.workspace_read
    ADD CONSTRAINT workspace_read_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES public.workspace(id) ON DELETE CASCADE;
