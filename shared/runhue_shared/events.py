"""What crosses HTTP from a training process to ingest: a `LogBatch` and its parts.

A writer (one training process) numbers everything it says to a run with `seq`,
from 0 without gaps: rows of `log()`, config and summary edits, console lines,
system samples. A batch carries the records `seq_lo..seq_hi`; (writer, seq)
identifies a record, so that a batch may be delivered twice with one effect.
The body on the wire is zstd(msgpack(LogBatch)); numbers are little-endian binary
columns, which a server reads without touching each point.
"""

import math
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMAT = 1
COMPRESSION_LEVEL = 3
EXACT_INTEGER = 2**53
"""Integers up to this size survive the way through a double (IEEE 754)."""

TIMESTAMP_KEY = "_timestamp"
RUNTIME_KEY = "_runtime"

MetricSummary = Literal["min", "max", "mean", "best", "last", "none", "copy", "first"]

_FLOATS, _INTEGERS, _MIXED = 0, 1, 2
_NUMBERS = frozenset({int, float})


class NumberBlock(msgspec.Struct, omit_defaults=True):
    """Numbers of rows that logged the same keys.

    `values`: float64, shape (len(keys), n), key by key. `rows`: uint32 positions
    in `Rows`, shape (n,); None means every row. `kinds`: one byte a key: 0 the
    column was floats, 1 ints, 2 both. `masks`: for a mixed key (by its position)
    one byte a value, 1 where it was an int. `big`: (key position, value position,
    decimal digits) of ints beyond 2**53, which the double only approximates.
    """

    keys: list[str]
    values: bytes
    rows: bytes | None = None
    kinds: bytes | None = None
    masks: dict[int, bytes] = {}
    big: list[tuple[int, int, str]] = []


class Cells(msgspec.Struct, omit_defaults=True):
    """Values of one key that are no numbers: str, bool, None, list, or a media dict with `_type`."""

    key: str
    rows: bytes
    values: list[Any]


class Rows(msgspec.Struct, omit_defaults=True):
    """Rows by column. `seq`: uint32 offsets from the batch's `seq_lo`; `step`: int64; both shape (n,)."""

    seq: bytes
    step: bytes
    numbers: list[NumberBlock] = []
    cells: list[Cells] = []

    def __len__(self) -> int:
        return len(self.seq) // 4


class ConfigEdit(msgspec.Struct, omit_defaults=True):
    """Top-level config keys set, and keys removed, by one call."""

    seq: int
    values: dict[str, Any] = {}
    removed: list[str] = []


class SummaryEdit(msgspec.Struct, omit_defaults=True):
    """Summary keys set by hand, and keys removed; they win over logged values (seed 004)."""

    seq: int
    values: dict[str, Any] = {}
    removed: list[str] = []


class MetricDefinition(msgspec.Struct, omit_defaults=True):
    """One `define_metric` call. `name` may end in `*` and then covers every key with that prefix."""

    seq: int
    name: str
    step_metric: str | None = None
    summary: list[MetricSummary] = []
    goal: Literal["minimize", "maximize"] | None = None
    hidden: bool = False


class SummarySeen(msgspec.Struct, omit_defaults=True):
    """The whole summary as a client that keeps its own (wandb's) sees it: nested JSON.

    Where it agrees with what was logged nothing is stored by hand; where it differs, that is a manual value.
    """

    seq: int
    values: dict[str, Any]


class ConsoleLine(msgspec.Struct, omit_defaults=True):
    """One line of stdout or stderr without its newline. `time` is Unix seconds.

    `number`: its place in the writer's console, when it may be said again; the later saying replaces it.
    `label`: which of the client's processes said it, '' where it does not tell; kept for numbered lines.
    """

    seq: int
    stream: Literal["stdout", "stderr"]
    time: float
    text: str
    number: int | None = None
    label: str = ""


class Alert(msgspec.Struct, omit_defaults=True):
    seq: int
    title: str
    text: str
    level: Literal["info", "warn", "error"] = "info"
    time: float = 0.0


class RunAttributes(msgspec.Struct, omit_defaults=True):
    """Changed attributes of the run; None leaves one as it is."""

    seq: int
    name: str | None = None
    notes: str | None = None
    tags: list[str] | None = None
    group: str | None = None
    job_type: str | None = None
    metadata: dict[str, Any] | None = None


class MediaSetting(msgspec.Struct, omit_defaults=True):
    """How media logged under `key` are shown, in the JSON shapes of wandb's config.

    `kind` chart: `{panel_type, panel_config}` of a custom chart; legacy_chart: `{id, historyFieldSettings}`;
    mask_classes and box_classes: `{type, key, value: {class id: name}}`, keyed
    `<media key>_wandb_delimeter_<name of the mask or group>`.
    """

    seq: int
    kind: Literal["chart", "legacy_chart", "mask_classes", "box_classes"]
    key: str
    value: dict[str, Any]


class Rewind(msgspec.Struct, omit_defaults=True):
    """Rows after `step` that earlier writers logged are taken back (wandb's resume_from)."""

    seq: int
    step: int


class Finish(msgspec.Struct, omit_defaults=True):
    """The writer is done. `state`: what became of it; `time` is Unix seconds."""

    seq: int
    exit_code: int
    state: Literal["finished", "failed", "killed", "preempted"]
    time: float


class LogBatch(msgspec.Struct, omit_defaults=True):
    """Records `seq_lo..seq_hi` (inclusive) of one writer. `system`: rows of the system-metrics stream."""

    seq_lo: int
    seq_hi: int
    format: int = FORMAT
    rows: Rows | None = None
    system: Rows | None = None
    config: list[ConfigEdit] = []
    summary: list[SummaryEdit] = []
    metrics: list[MetricDefinition] = []
    console: list[ConsoleLine] = []
    alerts: list[Alert] = []
    attributes: list[RunAttributes] = []
    finish: list[Finish] = []
    summary_seen: list[SummarySeen] = []
    media: list[MediaSetting] = []
    rewind: list[Rewind] = []


class StartWriter(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """A training process asks to write to a run: `POST /ingest/v1/runs`.

    `run` is the run's id, unique in its project. `writer` is 32 hex digits made by the
    process; the same writer asked again gets the same answer. `started_at` is Unix
    seconds. `resume`: None starts anew, and writes into a run that is already there.
    """

    project: str
    run: str
    writer: str
    started_at: float
    team: str | None = None
    resume: Literal["allow", "must", "never", "auto"] | None = None
    name: str | None = None
    notes: str | None = None
    tags: list[str] = []
    group: str | None = None
    job_type: str | None = None
    metadata: dict[str, Any] = {}
    client: str = ""


class WriterStarted(msgspec.Struct, omit_defaults=True):
    """The answer to `StartWriter`. `next_seq`: the first seq not yet durable. `last_step`: -1 for no row."""

    writer_id: int
    run: str
    name: str
    team: str
    project: str
    url: str
    resumed: bool
    next_seq: int
    last_step: int
    runtime: float
    flush_interval_ms: int
    max_batch_bytes: int
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    warnings: list[str] = []


class LogBatchAccepted(msgspec.Struct, omit_defaults=True):
    """The answer to a durable batch: `POST /ingest/v1/writers/{writer_id}/batches`.

    `durable_seq` and `applied_seq` are the last seq stored and folded, -1 for none.
    """

    durable_seq: int
    applied_seq: int
    flush_interval_ms: int
    max_batch_bytes: int
    stop: bool = False
    warnings: list[str] = []


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dicts become dotted keys; a dict with `_type` is a media value and stays whole.

    When two leaves give the same name the least nested one wins, whatever their order
    (docs/color.md S9).
    """
    if not any(isinstance(value, dict) for value in values.values()):
        return dict(values)
    depths: dict[str, int] = {}
    flat: dict[str, Any] = {}
    for name, depth, value in _leaves(values, "", 0):
        if depth <= depths.get(name, depth):
            depths[name] = depth
            flat[name] = value
    return flat


def _leaves(values: Mapping[str, Any], prefix: str, depth: int) -> Iterable[tuple[str, int, Any]]:
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and "_type" not in value:
            yield from _leaves(value, f"{name}.", depth + 1)
        else:
            yield name, depth, value


def encode_rows(rows: Sequence[tuple[int, int, Mapping[str, Any]]]) -> Rows:
    """Columns of rows given as (seq offset, step, flat values); values are int, float or JSON-like.

    Keys of one row that differ only in case are one metric; the later entry wins (S9).
    """
    seqs = array("I", (row[0] for row in rows))
    steps = array("q", (row[1] for row in rows))
    number_rows: dict[tuple[str, ...], list[int]] = {}
    number_columns: dict[tuple[str, ...], list[Iterable[int | float]]] = {}
    cells: dict[str, tuple[list[int], list[Any]]] = {}
    spelled_once: set[tuple[str, ...]] = set()
    for position, (_, _, values) in enumerate(rows):
        names = tuple(values)
        if names not in spelled_once:
            values = one_spelling(values)
            if len(values) == len(names):
                spelled_once.add(names)
        if not _NUMBERS.issuperset(map(type, values.values())):
            values = _without_cells(values, position, cells)
            names = tuple(values)
        elif len(values) < len(names):
            names = tuple(values)
        if names:
            number_rows.setdefault(names, []).append(position)
            number_columns.setdefault(names, []).append(values.values())
    blocks = [
        number_block(names, number_rows[names], zip(*number_columns[names], strict=True), len(rows))
        for names in number_columns
    ]
    others = [Cells(key, column_bytes(array("I", at)), held) for key, (at, held) in cells.items()]
    return Rows(column_bytes(seqs), column_bytes(steps), blocks, others)


def _without_cells(
    values: Mapping[str, Any], position: int, cells: dict[str, tuple[list[int], list[Any]]]
) -> dict[str, int | float]:
    """The numbers of a row; its other values go to `cells`."""
    numbers: dict[str, int | float] = {}
    for key, value in values.items():
        if type(value) in _NUMBERS:
            numbers[key] = value
        else:
            at, held = cells.setdefault(key, ([], []))
            at.append(position)
            held.append(value)
    return numbers


def one_spelling(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values without keys that differ from a later one only in case (S9)."""
    if len({key.casefold() for key in values}) == len(values):
        return values
    last: dict[str, str] = {}
    for key in values:
        last[key.casefold()] = key
    return {key: values[key] for key in last.values()}


def number_block(
    keys: tuple[str, ...], at: list[int], columns: Iterable[Sequence[int | float]], all_rows: int
) -> NumberBlock:
    """The block of rows at positions `at` of `all_rows`; a column a key, each as long as `at`."""
    values = array("d")
    kinds = bytearray()
    masks: dict[int, bytes] = {}
    big: list[tuple[int, int, str]] = []
    for key_position, column in enumerate(columns):
        types = set(map(type, column))
        kind = _MIXED if len(types) > 1 else _INTEGERS if int in types else _FLOATS
        kinds.append(kind)
        if kind == _MIXED:
            masks[key_position] = bytes([type(value) is int for value in column])
        if kind == _FLOATS or _are_exact(column):
            values.extend(column)
        else:
            for position, value in enumerate(column):
                if type(value) is int and abs(value) > EXACT_INTEGER:
                    big.append((key_position, position, str(value)))
                values.append(as_double(value))
    rows_at = None if len(at) == all_rows else column_bytes(array("I", at))
    kinds_told = bytes(kinds) if any(kinds) else None
    return NumberBlock(list(keys), column_bytes(values), rows_at, kinds_told, masks, big)


def _are_exact(column: Sequence[int | float]) -> bool:
    """Whether a double holds every int of the column, of which there is one at least."""
    ints = [value for value in column if type(value) is int]
    return min(ints) >= -EXACT_INTEGER and max(ints) <= EXACT_INTEGER


def as_double(value: int | float) -> float:
    """The nearest double; an int beyond every double becomes an infinity (docs/color.md S4b)."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def column_bytes(values: "array[Any]") -> bytes:
    """A column as the wire has it: little-endian."""
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(LogBatch)


def encode_batch(batch: LogBatch) -> tuple[bytes, int]:
    """(body for the wire, size in bytes before compression).

    Ints beyond 64 bits in lists, dicts, config and summary become the nearest double: msgpack has none.
    """
    try:
        raw = _encoder.encode(batch)
    except OverflowError:
        raw = _encoder.encode(_within_64_bits(msgspec.to_builtins(batch, builtin_types=(bytes,))))
    return zstd.compress(raw, COMPRESSION_LEVEL), len(raw)


def _within_64_bits(value: Any) -> Any:  # what msgspec makes of a batch
    if isinstance(value, dict):
        return {key: _within_64_bits(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_within_64_bits(part) for part in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return as_double(value)
    return value


class MalformedBatch(ValueError):
    """A body that is not a `LogBatch`; the message says where it breaks."""


def decode_batch(body: bytes, max_bytes: int) -> LogBatch:
    """The batch in `body`.

    Raises:
        MalformedBatch: not zstd, not msgpack, not this format, or over `max_bytes` when decompressed.
    """
    return unpack_batch(decompress(body, max_bytes))


def unpack_batch(raw: bytes) -> LogBatch:
    """The batch in a decompressed body.

    Raises:
        MalformedBatch: not msgpack, or not this format.
    """
    try:
        batch = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBatch(f"body is not a log batch: {error}") from error
    if batch.format != FORMAT:
        raise MalformedBatch(f"batch format is {batch.format}, this server reads {FORMAT}: update the server")
    return batch


def decompress(body: bytes, max_bytes: int) -> bytes:
    """Unpack zstd frames, never holding more than `max_bytes` whatever the frame declares.

    Raises:
        MalformedBatch: not zstd, cut short, or larger than `max_bytes`.
    """
    decompressor = zstd.ZstdDecompressor()
    try:
        raw = decompressor.decompress(body, max_length=max_bytes + 1)
    except zstd.ZstdError as error:
        raise MalformedBatch(f"body is not zstd: {error}") from error
    if len(raw) > max_bytes:
        raise MalformedBatch(f"body is larger than {max_bytes} bytes decompressed: send smaller batches")
    if not decompressor.eof:
        raise MalformedBatch("body is cut short: the zstd frame does not end")
    if decompressor.unused_data:
        raise MalformedBatch(f"{len(decompressor.unused_data)} bytes follow the zstd frame: send one frame")
    return raw
