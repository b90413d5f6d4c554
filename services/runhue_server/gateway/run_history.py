"""What a run logged, row by row: whole, in pages, or sampled."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.refusals import NotUnderstood
from runhue_server.gateway.run_fields import page_of
from runhue_shared import db
from runhue_shared.db.client_history import events_for_client, rows_for_client, sampled_rows
from runhue_shared.series.columns import STEP_KEY
from runhue_shared.series.values import json_text

FIELDS = Fields("history")

Json = dict[str, Any]  # what fields below a type are read from

SAMPLES = 500
MOST_SAMPLES = 100_000
FIRST_STEP = 0


class SampleSpec(msgspec.Struct, rename="camel"):
    """What a client asks of sampled history: rows that hold all `keys`, from `min_step` on.

    Whether `max_step` belongs to the range depends on the client: `end` says where it ends.
    """

    keys: list[str] = []
    samples: int = SAMPLES
    min_step: int | None = None
    max_step: int | None = None

    @property
    def end(self) -> int | None:
        """The step before which the range ends; None is no end.

        A client that adds the step to its user's keys and asks for one sample of each step, the last one too,
        means that one as well. Older ones ask for the size of their page and say where the next one begins.
        """
        if self.max_step is None:
            return None
        with_the_last = self.max_step - (self.min_step or 0) + 1
        counted = self.samples == with_the_last and self.keys[-1:] == [STEP_KEY]
        return self.max_step + counted


_spec = msgspec.json.Decoder(SampleSpec)


@FIELDS.answers("Run", "history")
def history(
    source: Json,
    _context: Context,
    samples: int | None = None,
    minStep: int | None = None,  # noqa: N803  # the wire's
    maxStep: int | None = None,  # noqa: N803  # the wire's
) -> list[str]:
    """Rows with `minStep` <= step < `maxStep` as JSON texts, in which NaN and infinities are bare words.

    Nested values are nested. Where there are more than `samples` rows they are spread evenly.
    """
    most = _samples(samples if samples is not None else MOST_SAMPLES if maxStep is not None else None)
    return [row_text(row) for row in _rows(page_of(source)[1], most, None, minStep, maxStep)]


@FIELDS.answers("Run", "events")
def events(source: Json, _context: Context, samples: int | None = None) -> list[str]:
    """Samples of the machine as JSON texts, in the order of their times."""
    with db.snapshot() as tx:
        return [row_text(row) for row in events_for_client(tx, page_of(source)[1], _samples(samples))]


@FIELDS.answers("Run", "sampledHistory")
def sampled_history(
    source: Json, _context: Context, specs: list[str | None] | None = None
) -> list[list[Json]]:
    """For each spec the rows that hold all of its keys, flat under the keys as they were asked.

    NaN and infinities are texts: in the body of an answer JSON has no other word for them.

    Raises:
        NotUnderstood: a spec is no JSON object with `keys` and whole numbers.
    """
    wanted = [_decoded(text or "{}") for text in specs or []]
    run_id = page_of(source)[1]
    return [
        [in_words(row) for row in _rows(run_id, _samples(spec.samples), spec.keys, spec.min_step, spec.end)]
        for spec in wanted
    ]


@FIELDS.answers("Run", "historyKeys")
def history_keys(source: Json, _context: Context) -> Json:
    """What was logged: each key with how often it was of which type, and the last step."""
    page, run_id = page_of(source)
    return page.history_keys[run_id]


@FIELDS.answers("Run", "parquetHistory")
def parquet_history(
    _source: Json,
    _context: Context,
    liveKeys: list[str | None] | None = None,  # noqa: ARG001, N803  # the wire's
) -> Json:
    """No history is kept in files: clients read what comes after the first live row here, so all of it."""
    return {"parquetUrls": [], "liveData": [{STEP_KEY: FIRST_STEP}]}


def row_text(row: Json) -> str:
    """The row as `json_text` has it, which takes fifty times as long where every value is plain."""
    try:
        text = orjson.dumps(row)
    except (TypeError, ValueError):  # integers beyond 64 bits, half surrogate pairs
        return json_text(row)
    # NaN and infinities come as null; whether a null is one of them only the slow way tells
    return json_text(row) if b"null" in text else text.decode()


def _decoded(text: str) -> SampleSpec:
    try:
        return _spec.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NotUnderstood(
            f"a spec is not understood: {error}",
            field="specs",
            fix='write it like {"keys": ["loss"], "samples": 500}',
        ) from error


def _samples(asked: int | None) -> int:
    return min(max(SAMPLES if asked is None else asked, 0), MOST_SAMPLES)


def _rows(
    run_id: int, samples: int, keys: list[str] | None, min_step: int | None, end: int | None
) -> list[Json]:
    start = max(min_step or 0, FIRST_STEP)
    with db.snapshot() as tx:
        if end is not None and end - start <= samples:
            return rows_for_client(tx, run_id, start, end, keys=keys or None)
        return sampled_rows(tx, run_id, samples, keys or None, start, end)


def in_words(value: Any) -> Any:  # any logged value
    """The value with NaN and infinities as texts: not every reader takes them bare."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: in_words(part) for key, part in value.items()}
    return [in_words(part) for part in value] if isinstance(value, list) else value
