"""Results that are to be written down: several in one transaction, and again after an outage."""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from runhue_server.media.inspection import Finding
from runhue_server.storage.problems import RemovedMeanwhile
from runhue_shared import db
from runhue_shared.blobs.store import StoreAway
from runhue_shared.db import Transaction, inspections
from runhue_shared.db.inspections import Waiting

AGAIN_SECONDS: Final = 1.0
WRITE_SECONDS: Final = 0.25
"""So long may a result wait for others."""


class _Return(NamedTuple):
    job: Waiting
    seconds: float
    counts: bool


class Notes:
    """What this worker has to tell the database. It keeps what it could not tell, for the next time."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._returned: list[_Return] = []
        self._since = 0.0

    def add(self, finding: Finding) -> None:
        """Tell of a result soon: at the next `write` or, when it is old enough, `write_old`."""
        if not self._findings:
            self._since = time.monotonic()
        self._findings.append(finding)

    def give_back(self, jobs: Sequence[Waiting], seconds: float = 0.0, *, counts: bool = False) -> None:
        """Have inspections be taken again after some seconds; `counts`: the attempt counts against them."""
        self._returned += [_Return(job, seconds, counts) for job in jobs]

    def write(self) -> None:
        """Tell everything, in one transaction.

        Raises:
            psycopg.Error: the database is away; nothing is forgotten.
        """
        if not self._findings and not self._returned:
            return
        # Begun here, or what each result has for itself would be a transaction and not a savepoint.
        with db.transaction() as tx, tx.transaction():
            # In the order of `inspections.want`: whoever names the same bytes anew, as the next version of an
            # artifact does, waits for this transaction or it for that one, never both.
            told: list[Finding | _Return] = [*self._findings, *self._returned]
            for one in sorted(told, key=_place):
                if isinstance(one, Finding):
                    _note(tx, one)
                else:
                    inspections.give_back(tx, one.job, one.seconds, counts=one.counts)
        self._findings.clear()
        self._returned.clear()

    def write_old(self) -> None:
        """Tell everything once something waits for a while.

        Raises:
            psycopg.Error: as `write`; the next attempt is `WRITE_SECONDS` later.
        """
        if self._returned or (self._findings and time.monotonic() - self._since > WRITE_SECONDS):
            self._since = time.monotonic()
            self.write()


def _place(one: Finding | _Return) -> tuple[bytes, str]:
    return one.job.sha256, one.job.kind


def _note(tx: Transaction, finding: Finding) -> None:
    """Renditions may have been removed, as bytes that nothing named: then they are made again."""
    try:
        with tx.transaction():
            finding.note(tx)
    except (RemovedMeanwhile, StoreAway):
        inspections.give_back(tx, finding.job, AGAIN_SECONDS)
