-- What the media worker found out about stored bytes, and what it made of them. A row is one way in which a
-- blob is looked at: the same JSON can be logged as a table and as a figure. `format` is the ending of the name
-- under which the bytes came, lower case, without a dot: what they claim to be. `facts`: JSON, when ready;
-- `code` and `reason`, when refused. A waiting row may be taken from `due_at` on; taking it moves that into the
-- future, so that a worker that dies gives it back. `attempts` counts those takings that led to nothing: a row
-- that a worker died with is taken alone, so that the others of its batch are not blamed.
CREATE TABLE inspection (
    team_id int NOT NULL,
    sha256 bytea NOT NULL,
    kind text NOT NULL CHECK (kind IN ('image', 'mask', 'boxes', 'audio', 'video', 'html', 'molecule',
        'object3d', 'points', 'plotly', 'table', 'graph', 'array')),
    format text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'ready', 'refused')),
    attempts int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    facts text,
    code text,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    PRIMARY KEY (team_id, sha256, kind),
    FOREIGN KEY (team_id, sha256) REFERENCES blob ON DELETE CASCADE,
    CHECK ((state = 'ready') = (facts IS NOT NULL)),
    CHECK ((state = 'refused') = (code IS NOT NULL AND reason IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX inspection_waiting ON inspection (team_id, (attempts > 0), due_at) WHERE state = 'waiting';

-- Blobs made from a blob: thumbnail, poster, playable, peaks, preview, columns, vega.
CREATE TABLE rendition (
    team_id int NOT NULL,
    sha256 bytea NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    made bytea NOT NULL,
    size bigint NOT NULL,
    mimetype text NOT NULL,
    PRIMARY KEY (team_id, sha256, kind, name),
    FOREIGN KEY (team_id, sha256, kind) REFERENCES inspection ON DELETE CASCADE,
    FOREIGN KEY (team_id, made) REFERENCES blob
);
CREATE INDEX rendition_by_blob ON rendition (team_id, made);
