"""Addresses for uploads, and uploads that went straight to the object store. Everything here blocks."""

import secrets
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec
import structlog

from runhue_server.storage import tokens
from runhue_server.storage.file_names import tame_path
from runhue_server.storage.problems import store_answers
from runhue_server.storage.targets import Target, settle
from runhue_server.web.problems import Problem, Unavailable
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.store import (
    ANYTHING,
    BytesMissing,
    Expected,
    StoreAway,
    TooManyBytes,
    WrongBytes,
)
from runhue_shared.db import direct_uploads
from runhue_shared.db.direct_uploads import DirectUpload, WaitingUpload
from runhue_shared.settings import settings

ADOPT_SECONDS = 5.0
"""A request waits this long for hashing; what is left over is for the next one, or for the sweeper."""

GIVE_UP_SECONDS = tokens.PUT_SECONDS + 3600
"""Then an upload's address has expired, and what was put there is in the store whole."""

INCOMING = "incoming"
FEW = 3
SWEEP_SECONDS = 300.0

_log = structlog.get_logger(__name__)
_target_decoder = msgspec.json.Decoder(Target)
_expected_decoder = msgspec.json.Decoder(Expected)


class Upload(NamedTuple):
    """Bytes that are about to come. `owner` and `name` say whose file it is (`run_owner`, its path)."""

    owner: str
    name: str
    target: Target
    expected: Expected = ANYTHING


def run_owner(run_id: int) -> str:
    """The owner of a run's files, by the run's internal number."""
    return f"run:{run_id}"


def addresses(team_id: int, uploads: Sequence[Upload], base_url: str) -> list[str]:
    """Where to PUT each upload, in the order given: at the object store, or below `base_url`.

    Raises:
        StoreAway: the object store's credentials cannot be had right now.
    """
    names = [f"{_folder(team_id, one.owner)}/{secrets.token_hex(16)}" for one in uploads]
    signed = blob_store().sign_puts(names, tokens.PUT_SECONDS) if uploads else []
    if signed is None:
        return [base_url + tokens.put_path(team_id, one.target, one.expected) for one in uploads]
    with db.transaction() as tx:
        direct_uploads.insert(
            tx,
            [
                DirectUpload(key, team_id, one.owner, one.name, _json(one.target), _json(one.expected))
                for key, one in zip(names, uploads, strict=True)
            ],
        )
    return signed


def adopt(
    team_id: int, owner: str, names: Collection[str] | None = None, seconds: float = ADOPT_SECONDS
) -> bool:
    """Take over what an owner's uploads put at the object store, all or those of `names`, for that long.

    Uploads that did not come yet stay as they are. What cannot be kept is logged and thrown away. Names are
    taken as clients say them.

    Returns:
        False when the time was too short for all that may have come.
    Raises:
        Unavailable: the object store is away; the sweeper takes over later what waits.
    """
    store = blob_store()
    if not store.direct:
        return True
    until = time.monotonic() + seconds
    tame = None if names is None else [tame_path(name) for name in names]
    with db.transaction() as tx:
        waiting = direct_uploads.of_owner(tx, team_id, owner, tame)
    with store_answers():
        # Many of a run that goes on are on their way: the one list tells more than asking for each.
        came = set(store.arrived(_folder(team_id, owner))) if len(waiting) > FEW else None
        for upload in waiting:
            if time.monotonic() > until:
                return False
            if came is None or upload.key in came:
                take_over(upload)
    return True


def take_over(upload: WaitingUpload) -> bool:
    """Make an upload's bytes what they are to become; False when they have not come. Idempotent.

    Raises:
        StoreAway: the object store is not reachable.
    """
    store = blob_store()
    try:
        stored = store.adopt(
            upload.team_id, upload.key, settings().max_file_bytes, _expected_decoder.decode(upload.expected)
        )
        with db.transaction() as tx:
            if direct_uploads.remove(tx, upload.key):
                settle(tx, upload.team_id, _target_decoder.decode(upload.target), stored)
    except BytesMissing:
        return False
    except Unavailable as passing:
        raise StoreAway(str(passing)) from passing
    except (WrongBytes, TooManyBytes, Problem) as refused:
        _log.warning("upload_refused", owner=upload.owner, name=upload.name, reason=str(refused))
        with db.transaction() as tx:
            direct_uploads.remove(tx, upload.key)
    store.discard(upload.key)
    return True


def sweep(age: float = SWEEP_SECONDS) -> None:
    """Take over what came that many seconds ago and nobody announced, and forget what never came. Idempotent.

    Raises:
        StoreAway: the object store is not reachable.
    """
    store = blob_store()
    keys = store.arrived(INCOMING, age)
    with db.transaction() as tx:
        waiting = direct_uploads.of_keys(tx, keys)
    for upload in waiting:
        take_over(upload)
    # Put once more at an address that was used, or left by a crash after it was taken over.
    for key in set(keys) - {upload.key for upload in waiting}:
        store.discard(key)
    with db.transaction() as tx:
        direct_uploads.forget_older_than(tx, GIVE_UP_SECONDS)
    store.forget_left_over(GIVE_UP_SECONDS)


def _folder(team_id: int, owner: str) -> str:
    return f"{INCOMING}/{team_id}/{owner.replace(':', '-')}"


def _json(value: Target | Expected) -> str:
    return msgspec.json.encode(value).decode()
