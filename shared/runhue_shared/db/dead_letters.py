"""What could not be applied: batches kept as they came, and refused values counted by reason."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runhue_shared.db import Transaction

MAX_FIELD_LENGTH = 100
MAX_REASON_LENGTH = 1000


class DeadBatch(NamedTuple):
    """A batch that cannot be applied, and why."""

    team_id: int
    run_id: int
    writer_id: int
    seq_lo: int
    seq_hi: int
    reason: str
    body: bytes


class Rejection(NamedTuple):
    """Values of a run that were refused for one reason; `field` names the key where there is one."""

    team_id: int
    run_id: int
    code: str
    field: str
    message: str
    values: int


def storable(text: str, max_length: int) -> str:
    """The text as a Postgres text column can hold it, cut to `max_length`; NUL becomes U+FFFD."""
    return text[:max_length].replace("\0", "\ufffd")


def bury(tx: Transaction, dead: Sequence[DeadBatch]) -> None:
    """Keep bad batches; the same batch twice is kept once."""
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO dead_letter (team_id, run_id, writer_id, seq_lo, seq_hi, reason, body)"
            " VALUES (%s, %s, %s, %s, %s, %s, %b) ON CONFLICT (writer_id, seq_lo) DO NOTHING",
            [letter._replace(reason=storable(letter.reason, MAX_REASON_LENGTH)) for letter in dead],
        )


def count_rejections(tx: Transaction, rejections: Iterable[Rejection]) -> None:
    """Add refused values to their run's counts by (code, field)."""
    summed: dict[tuple[int, str, str], Rejection] = {}
    for rejection in rejections:
        field = storable(rejection.field, MAX_FIELD_LENGTH)
        at = (rejection.run_id, rejection.code, field)
        values = rejection.values + (summed[at].values if at in summed else 0)
        message = storable(rejection.message, MAX_REASON_LENGTH)
        summed[at] = rejection._replace(field=field, message=message, values=values)
    with tx.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO run_rejection AS r (team_id, run_id, code, field, message, count)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, code, field)"
            " DO UPDATE SET count = r.count + excluded.count, message = excluded.message, last_at = now()",
            [summed[at] for at in sorted(summed)],
        )
