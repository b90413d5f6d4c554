"""What one process says to a run, as records of the spool.

A record is a msgpack array that starts with its kind. The n-th record of a writer has
seq n, so that the spool alone says which seq is what, after any crash.
"""

from typing import Any, Literal

import msgspec

from runhue._errors import BadValue

MAX_DIGITS = 4300
"""Python reads and writes no int with more digits, and neither does the server."""

BIG_INTEGER = 1
"""msgpack extension: an int beyond 64 bits, as decimal digits."""


class OpenValues(msgspec.Struct, array_like=True, tag=1):
    """Values for the open row. `time` is Unix seconds, `runtime` seconds in running processes."""

    step: int
    time: float
    runtime: float
    values: dict[str, Any]


class RowValues(msgspec.Struct, array_like=True, tag=2):
    """Values for the open row, which is then complete."""

    step: int
    time: float
    runtime: float
    values: dict[str, Any]


class RowCommitted(msgspec.Struct, array_like=True, tag=3):
    """The open row is complete."""


class OpenRowReplaced(msgspec.Struct, array_like=True, tag=4):
    """The open row holds exactly these values: some were taken out of it."""

    step: int
    time: float
    runtime: float
    values: dict[str, Any]


class ConfigChange(msgspec.Struct, array_like=True, tag=5):
    values: dict[str, Any]
    removed: list[str]


class SummaryChange(msgspec.Struct, array_like=True, tag=6):
    values: dict[str, Any]
    removed: list[str]


class MetricDefined(msgspec.Struct, array_like=True, tag=7):
    name: str
    step_metric: str | None
    summary: list[str]
    goal: str | None
    hidden: bool


class ConsoleWritten(msgspec.Struct, array_like=True, tag=8):
    stream: Literal["stdout", "stderr"]
    time: float
    text: str


class AlertRaised(msgspec.Struct, array_like=True, tag=9):
    title: str
    text: str
    level: Literal["info", "warn", "error"]
    time: float


class AttributesChanged(msgspec.Struct, array_like=True, tag=10):
    """`values`: fields of `runhue_shared.events.RunAttributes`."""

    values: dict[str, Any]


class WriterFinished(msgspec.Struct, array_like=True, tag=11):
    exit_code: int
    state: Literal["finished", "failed", "killed"]
    time: float


class SystemSampled(msgspec.Struct, array_like=True, tag=12):
    """System metrics at `time_ms`, Unix milliseconds."""

    time_ms: int
    values: dict[str, int | float]


class FileSaved(msgspec.Struct, array_like=True, tag=13):
    """A file of the run: `path` in it, `sha256` in hex, `size` in bytes, `name` in the spool's `files/`.

    Appended ahead of the record that names the path, so that no row names bytes that are not kept.
    """

    path: str
    sha256: str
    size: int
    name: str


class MediaShown(msgspec.Struct, array_like=True, tag=14):
    """How media under `key` are shown: `runhue_shared.events.MediaSetting`."""

    kind: Literal["chart", "legacy_chart", "mask_classes", "box_classes"]
    key: str
    value: dict[str, Any]


Record = (
    OpenValues
    | RowValues
    | RowCommitted
    | OpenRowReplaced
    | ConfigChange
    | SummaryChange
    | MetricDefined
    | ConsoleWritten
    | AlertRaised
    | AttributesChanged
    | WriterFinished
    | SystemSampled
    | FileSaved
    | MediaShown
)

ROW_VALUES = 2
"""Kind of `RowValues`, for the caller that encodes a tuple because it is faster than the struct."""


def with_big_integers(value: Any) -> Any:  # plain values of any kind
    """The plain value with its ints beyond 64 bits in a form that msgpack holds.

    Raises:
        BadValue: an int has more digits than Python reads and writes.
    """
    if isinstance(value, dict):
        return {key: with_big_integers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [with_big_integers(part) for part in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(BIG_INTEGER, _digits(value))
    return value


def _digits(value: int) -> bytes:
    try:
        return str(value).encode()
    except ValueError as error:
        raise BadValue(f"an integer of more than {MAX_DIGITS:,} digits cannot be logged") from error


def _read_extension(code: int, data: memoryview) -> int:
    if code != BIG_INTEGER:
        raise ValueError(f"unknown msgpack extension {code}")
    return int(bytes(data))


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Record, ext_hook=_read_extension).decode
