"""Calls that read what runs logged as media."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin

from msgspec import Struct

from runhue._errors import ServerRefused, UsageError
from runhue._public_api.coloring_calls import project_url
from runhue._public_api.exchange import Call, Request, exchange, fetch, get
from runhue._public_api.file_calls import download_call, read_file_call
from runhue._public_api.media_records import (
    MediaFileRecord,
    MediaKey,
    MediaKeyList,
    MediaList,
    MediaPage,
    MediaSteps,
    MediumRecord,
    RenditionRecord,
)
from runhue._public_api.run_calls import RunPath, listed

PAGE = 500
MAX_STEPS = 10_000


class MediaQuery(Struct, frozen=True):
    """Which media of a key: from a step to a step, both included, and of lists only those at `index`."""

    key: str
    from_step: int | None = None
    to_step: int | None = None
    index: int | None = None


def media_keys_call(run: RunPath) -> Call[list[MediaKey]]:
    """The keys under which a run logged media."""
    return (yield from fetch(MediaKeyList, get(f"{run.url}/media/keys"))).keys


def media_call(team: str, project: str, runs: Sequence[str], query: MediaQuery) -> Call[list[MediumRecord]]:
    """Media of one key, of several runs: by step, then by run in the order asked for, then by index.

    Raises:
        ServerRefused: `run_not_found`, or more runs than the server takes at once.
        UsageError: `runs` are no ids.
    """
    found: list[MediumRecord] = []
    after: str | int | None = None
    while True:
        request = get(
            f"{project_url(team, project)}/media",
            key=query.key,
            runs=listed(runs),
            from_step=query.from_step,
            to_step=query.to_step,
            index=query.index,
            limit=PAGE,
            after=after,
        )
        page = yield from fetch(MediaPage, request)
        found += page.media
        after = page.next
        if after is None:
            return found


def media_steps_call(team: str, project: str, runs: Sequence[str], query: MediaQuery) -> Call[MediaSteps]:
    """The steps at which some of the runs logged media under a key."""
    request = get(
        f"{project_url(team, project)}/media/steps",
        key=query.key,
        runs=listed(runs),
        from_step=query.from_step,
        to_step=query.to_step,
        limit=MAX_STEPS,
    )
    return (yield from fetch(MediaSteps, request))


def summary_media_call(run: RunPath) -> Call[list[MediumRecord]]:
    """The media in a run's summary."""
    return (yield from fetch(MediaList, get(f"{run.url}/summary-media"))).media


class MediumBytes(Struct, frozen=True):
    """Which bytes a file of media has."""

    path: str
    sha256: str


def read_medium_call(run: RunPath, record: MediaFileRecord) -> Call[bytes]:
    """The bytes of a file, checked against its hash.

    Raises:
        UsageError: the logged value has no file.
        ServerRefused: the bytes have not come, or are gone: `media_awaited`, `media_expired`.
    """
    return (yield from read_file_call(run, _bytes_of(run, record)))


def download_medium_call(run: RunPath, record: MediaFileRecord, root: Path, *, replace: bool) -> Call[Path]:
    """As `file_calls.download_call`.

    Raises:
        UsageError, ServerRefused: as for `read_medium_call`.
    """
    return (yield from download_call(run, _bytes_of(run, record), root, replace=replace))


def read_rendition_call(base_url: str, record: RenditionRecord) -> Call[bytes]:
    """The bytes of a rendition."""
    return (yield from exchange(Request("GET", urljoin(f"{base_url}/", record.url)))).body


def _bytes_of(run: RunPath, record: MediaFileRecord) -> MediumBytes:
    if record.path is None:
        raise UsageError(f"run {run.id}: this value has no file, all of it is in `value`")
    if record.state in {"awaited", "expired"} or record.sha256 is None:
        why = (
            "was kept as long as its project keeps media" if record.state == "expired" else "has not come yet"
        )
        raise ServerRefused(f"run {run.id}: {record.path} {why}", status=404, code=f"media_{record.state}")
    return MediumBytes(record.path, record.sha256)
