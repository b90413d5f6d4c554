"""How far a logged table is: its files, what the media worker found in them, or why it did not."""

import json
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from runhue_server.api.resources import run_of
from runhue_server.api.table_places import Located, Place, files_at, is_path, locate
from runhue_server.api.table_problems import TableAwaited, TableExpired, TableNotReady, TableRefused
from runhue_server.api.table_values import INCREMENT, LoggedTable, increments, logged_table
from runhue_server.api.wake import wake
from runhue_server.storage.named_files import take_over_uploads
from runhue_shared import db
from runhue_shared.db import Transaction, inspections, run_files
from runhue_shared.db.inspections import Made
from runhue_shared.db.keys import Principal
from runhue_shared.media_kinds import Claim
from runhue_shared.messages import MediaStored

State = Literal["ready", "waiting", "awaited", "expired", "refused"]

KIND = "table"
CLAIM = Claim("table", "json")
COLUMNS = "columns"


class Piece(NamedTuple):
    """A file of a table that was looked at: its facts (docs/media.md), and the Parquet made of it."""

    located: Located
    facts: dict[str, Any]
    columns: Made


class Standing(NamedTuple):
    """A logged table. `pieces`: when ready, one, or the increments; `code` and `reason`: when refused."""

    logged: LoggedTable
    state: State
    pieces: Sequence[Piece] = ()
    code: str | None = None
    reason: str | None = None

    def ready(self) -> Sequence[Piece]:
        """The pieces.

        Raises:
            TableAwaited, TableExpired, TableNotReady, TableRefused: the state is another.
        """
        if self.state == "awaited":
            raise TableAwaited
        if self.state == "expired":
            raise TableExpired
        if self.state == "refused":
            raise TableRefused(self.code or "", self.reason or "")
        if self.state == "waiting":
            raise TableNotReady
        return self.pieces


class Missing(Exception):
    """A file of the table is not there; `paths` are those of the run's files that it may be."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__(f"no file at {paths}")
        self.paths = paths


def standing_of(
    principal: Principal, run: tuple[str, str, str], key: str, step: int | None, index: int
) -> Standing:
    """The table of a run (team, project, id); files that nobody looked at are given to the media worker.

    Raises:
        ProjectNotFound, RunNotFound, TableNotFound: there is none.
    """
    with db.transaction() as tx:
        run_id = run_of(tx, principal, *run).id
        logged = logged_table(tx, run_id, key, step, index)
        found = _found(tx, principal, run_id, logged)
    if found.missing:
        take_over_uploads(principal.team_id, run_id, found.missing)
        with db.transaction() as tx:
            found = _found(tx, principal, run_id, logged)
    if found.wanted:
        wake(MediaStored())
    return found.standing


class _Found(NamedTuple):
    """How far a table is; `missing` files of the run may lie in the object store, `wanted` is to be told."""

    standing: Standing
    missing: Sequence[str] = ()
    wanted: bool = False


def _found(tx: Transaction, principal: Principal, run_id: int, logged: LoggedTable) -> _Found:
    try:
        files = _files(tx, principal, run_id, logged)
    except Missing as missing:
        expired = any(run_files.expired_at(tx, run_id, path) for path in missing.paths)
        state: State = "expired" if expired else "awaited"
        return _Found(Standing(logged, state), () if expired else missing.paths)
    hashes = {located.file.sha256 for located in files}
    known = inspections.of_blobs(tx, principal.team_id, hashes)
    made = inspections.renditions(tx, principal.team_id, hashes)
    unknown = [(sha256, CLAIM) for sha256 in hashes if (sha256, KIND) not in known]
    wanted = inspections.want(tx, principal.team_id, unknown)
    found = [known.get((located.file.sha256, KIND)) for located in files]
    refused = next((one for one in found if one is not None and one.state == "refused"), None)
    if refused is not None:
        return _Found(Standing(logged, "refused", code=refused.code, reason=refused.reason), wanted=wanted)
    pieces = [
        Piece(located, json.loads(one.facts), made[one.sha256, KIND][COLUMNS])
        for located, one in zip(files, found, strict=True)
        if one is not None and one.facts is not None
    ]
    if len(pieces) < len(files):
        return _Found(Standing(logged, "waiting"), wanted=wanted)
    return _Found(Standing(logged, "ready", pieces))


def _files(tx: Transaction, principal: Principal, run_id: int, logged: LoggedTable) -> list[Located]:
    """The table's files; of an incremental one those of all increments up to this one, in order.

    Raises:
        Missing: one is not there.
    """
    own = [logged.value.get(name) for name in ("artifact_path", "_latest_artifact_path", "path")]
    before = logged.value.get("previous_increments_paths")
    earlier = before if logged.value.get("_type") == INCREMENT and isinstance(before, list) else []
    try:
        return _located(tx, principal, run_id, [*([address] for address in earlier), own])
    except Missing:
        if not any("://" in str(address) for address in earlier):
            raise
    # The run has each increment too, without the media in its cells.
    in_run = increments(tx, run_id, logged)
    return _located(tx, principal, run_id, [*([one, in_run.get(str(one))] for one in earlier), own])


def _located(
    tx: Transaction, principal: Principal, run_id: int, choices: Sequence[Sequence[object]]
) -> list[Located]:
    """For each choice the file at the first address that has one.

    Raises:
        Missing: a choice has none.
    """
    texts = [[one for one in addresses if isinstance(one, str)] for addresses in choices]
    place = Place(run_id)
    in_run = files_at(tx, principal, place, {one for some in texts for one in some if is_path(one)})
    found: list[Located] = []
    for some in texts:
        places = (
            Located(place, in_run[one]) if one in in_run else locate(tx, principal, run_id, one)
            for one in some
            if one in in_run or not is_path(one)
        )
        first = next((one for one in places if one is not None), None)
        if first is None:
            raise Missing([one for one in some if is_path(one)])
        found.append(first)
    return found
