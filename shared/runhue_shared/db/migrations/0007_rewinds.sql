-- What a run took back: rows of history after `step` whose place in the run's order is before `ord` are none.
-- Stored points are cut when it is folded; the row says what to leave out of batches that come later.
CREATE TABLE run_rewind (
    run_id bigint NOT NULL REFERENCES run ON DELETE CASCADE,
    team_id int NOT NULL,
    ord bigint NOT NULL,
    step bigint NOT NULL,
    PRIMARY KEY (run_id, ord)
);

-- Which of a client's processes said a line, where it tells them apart.
ALTER TABLE run_console ADD COLUMN label text;
