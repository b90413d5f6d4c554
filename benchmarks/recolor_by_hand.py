"""The bound of P6: what a recolor flush must do at least, as plain SQL over tables of its own."""

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from runhue_shared.db import Transaction

BUCKETS = 6

_TABLES = """
    CREATE TABLE IF NOT EXISTS hand_scale (id bigint PRIMARY KEY, version bigint, low float8, high float8);
    CREATE TABLE IF NOT EXISTS hand_dirty (scale_id bigint, run_id bigint);
    CREATE INDEX IF NOT EXISTS hand_dirty_scale ON hand_dirty (scale_id);
    CREATE TABLE IF NOT EXISTS hand_value (scale_id bigint, run_id bigint, value float8, v_from bigint,
        PRIMARY KEY (scale_id, run_id)) WITH (fillfactor = 80);
    CREATE INDEX IF NOT EXISTS hand_value_value ON hand_value (scale_id, value);
    CREATE TABLE IF NOT EXISTS hand_value_old (scale_id bigint, v_to bigint, run_id bigint, v_from bigint,
        value float8, PRIMARY KEY (scale_id, v_to, run_id));
    CREATE TABLE IF NOT EXISTS hand_outbox (id bigint GENERATED ALWAYS AS IDENTITY, payload text);
"""
_STORE = """
    WITH found AS (SELECT m.run_id, m.last AS value FROM unnest(%(runs)s::bigint[]) AS t (run_id)
            JOIN run_metric m ON m.run_id = t.run_id AND m.metric_id = %(metric)s AND m.type = 'number'),
        changed AS MATERIALIZED (SELECT f.run_id, f.value, v.value AS old_value, v.v_from FROM found f
            JOIN hand_value v ON v.scale_id = %(scale)s AND v.run_id = f.run_id
            WHERE v.value IS DISTINCT FROM f.value),
        kept AS (INSERT INTO hand_value_old (scale_id, v_to, run_id, v_from, value)
            SELECT %(scale)s, %(version)s, run_id, v_from, old_value FROM changed),
        put AS (UPDATE hand_value v SET value = c.value, v_from = %(version)s FROM changed c
            WHERE v.scale_id = %(scale)s AND v.run_id = c.run_id)
    SELECT r.public_id, c.value FROM changed c JOIN run r ON r.id = c.run_id
"""
_ENDS = (
    "SELECT (SELECT value FROM hand_value WHERE scale_id = %(scale)s ORDER BY value LIMIT 1),"
    " (SELECT value FROM hand_value WHERE scale_id = %(scale)s ORDER BY value DESC LIMIT 1)"
)


def make_tables(tx: Transaction, scale_id: int) -> None:
    """Copy a scale's values into tables that hold nothing but what the bound needs."""
    tx.execute(_TABLES)
    tx.execute("INSERT INTO hand_scale (id, version) VALUES (%s, 1)", (scale_id,))
    tx.execute(
        "INSERT INTO hand_value SELECT scale_id, run_id, number, v_from FROM scale_value"
        " WHERE scale_id = %s ORDER BY run_id",
        (scale_id,),
    )


def mark_by_hand(tx: Transaction, scale_id: int, run_ids: Sequence[int]) -> None:
    """Say that runs changed."""
    tx.execute("INSERT INTO hand_dirty SELECT %s, unnest(%s::bigint[])", (scale_id, list(run_ids)))


def flush_by_hand(tx: Transaction, scale_id: int, metric_id: int) -> int:
    """Bring the values up to date and store the next version's event; how many runs it lists."""
    ((version,),) = tx.execute(
        "SELECT version + 1 FROM hand_scale WHERE id = %s FOR UPDATE", (scale_id,), prepare=True
    ).fetchall()
    marks = tx.execute(
        "DELETE FROM hand_dirty WHERE scale_id = %s RETURNING run_id", (scale_id,), prepare=True
    )
    runs = f"{{{','.join(str(run_id) for (run_id,) in marks.fetchall())}}}"
    params = {"scale": scale_id, "version": version, "metric": metric_id, "runs": runs}
    rows = tx.execute(_STORE, params, prepare=True).fetchall()
    ((low, high),) = tx.execute(_ENDS, {"scale": scale_id}, prepare=True).fetchall()
    tx.execute(
        "UPDATE hand_scale SET version = %s, low = %s, high = %s WHERE id = %s",
        (version, low, high, scale_id),
        prepare=True,
    )
    payload = msgspec.json.encode(_event(rows, version, low, high)).decode()
    tx.execute("INSERT INTO hand_outbox (payload) VALUES (%s)", (payload,), prepare=True)
    return len(rows)


def _event(rows: Sequence[tuple[str, float]], version: int, low: float, high: float) -> dict[str, object]:
    thresholds = [low + (high - low) * place / BUCKETS for place in range(1, BUCKETS)]
    return {
        "version": version,
        "thresholds": thresholds,
        "changed": [
            {"run_id": run_id, "value": value, "bucket": bisect_right(thresholds, value) + 1}
            for run_id, value in rows
        ],
    }
