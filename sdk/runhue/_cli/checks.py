"""What `runhue doctor` looks at on this machine and on the server it logs to."""

import platform
import shutil
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

import httpx
from msgspec import Struct

from runhue._cli.output import counted
from runhue._errors import ServerError
from runhue._public_api import Api
from runhue._settings import FOLDER, Settings
from runhue._spool import REJECTED
from runhue._spool_lock import read_owner
from runhue._sync import find_spools
from runhue._version import __version__
from runhue._writer import SPOOLS

State = Literal["ok", "warning", "failure"]

LOW_DISK, NO_DISK = 2 * 1024**3, 200 * 1024**2
CLOCK_SKEW_SECONDS = 30.0
PROBE_SECONDS = 5.0
GIBIBYTE = 1024**3


class Check(Struct, frozen=True):
    """One thing looked at: what was found, and what to do when it is not ok."""

    name: str
    state: State
    found: str
    fix: str | None = None


def local_checks(settings: Settings) -> Iterator[Check]:
    """This machine: versions, and the folder that keeps what is not sent yet."""
    yield Check("runhue", "ok", __version__)
    yield Check("python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield disk_check(settings.folder)
    yield leftovers_check(settings.dir.absolute())


def disk_check(folder: Path) -> Check:
    """Room for the spool."""
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / GIBIBYTE:.1f} GiB free in {place}"
    if free >= LOW_DISK:
        return Check("disk", "ok", found)
    fix = "free some space, or log elsewhere with RUNHUE_DIR"
    return Check("disk", "failure" if free < NO_DISK else "warning", found, fix)


def server_checks(api: Api) -> Iterator[Check]:
    """The server: reachable, its version, its clock, the key."""
    try:
        server = api.server()
    except ServerError as error:
        fix = "start it with `runhue up`, or name another with RUNHUE_BASE_URL"
        yield Check("api", "failure", error.message, fix)
        return
    yield Check("api", "ok", f"{api.base_url}, version {server.version}")
    if server.version != __version__:
        found = f"client {__version__}, server {server.version}"
        yield Check("version", "warning", found, "install the same version")
    yield ready_check("api ready", api.base_url)
    yield ready_check("ingest ready", server.ingest_url)
    yield clock_check(api.base_url)
    yield key_check(api)


def ready_check(name: str, url: str) -> Check:
    """Whether a service and the servers behind it answer."""
    try:
        response = httpx.get(f"{url.rstrip('/')}/readyz", timeout=PROBE_SECONDS)
    except httpx.HTTPError as error:
        return Check(name, "failure", f"{url}: {error}", "check the address, and that no firewall is between")
    if response.status_code == httpx.codes.OK:
        return Check(name, "ok", url)
    shown = " ".join(response.text.split())[:200]
    return Check(
        name, "failure", f"{url} answers {response.status_code}: {shown}", "look at the server's log"
    )


def clock_check(url: str, clock: Callable[[], float] = time.time) -> Check:
    """This machine's clock against the server's Date header, which has whole seconds."""
    try:
        response = httpx.get(f"{url}/healthz", timeout=PROBE_SECONDS)
        told = parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (httpx.HTTPError, KeyError, ValueError) as error:
        found = f"the server tells no time: {error!r}"
        return Check("clock", "warning", found, "let the proxy pass the Date header")
    skew = clock() - told - response.elapsed.total_seconds() / 2
    found = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the server"
    if abs(skew) > CLOCK_SKEW_SECONDS:
        return Check("clock", "warning", found, "synchronize both clocks (NTP); wall times of runs are wrong")
    return Check("clock", "ok", f"within {max(1, round(abs(skew)))} s of the server")


def key_check(api: Api) -> Check:
    """Whether the key is taken, and what it may do."""
    try:
        viewer = api.viewer()
    except ServerError as error:
        return Check("api key", "failure", error.message, error.fix or "look at the server's log")
    found = f"team {viewer.team}, may {', '.join(viewer.scopes)}"
    if not {"ingest", "admin"} & set(viewer.scopes):
        return Check("api key", "warning", found, "take a key with the scope ingest to log runs")
    return Check("api key", "ok", found)


def leftovers_check(place: Path) -> Check:
    """Spools of processes that ended before everything was sent, and records that the server refused."""
    left = [spool for spool in find_spools(place) if not _is_held(spool)]
    refused = list(place.glob(f"{FOLDER}/{SPOOLS}/*/{REJECTED}/*.batch"))
    if left:
        found = f"{counted(len(left), 'run')} not sent whole in {place / FOLDER}"
        return Check("spool", "warning", found, f"send them with: runhue sync {place}")
    if refused:
        found = f"{len(refused)} records in {place / FOLDER} were refused by the server"
        return Check("spool", "warning", found, f"read why in {REJECTED}/*.json there, then delete them")
    return Check("spool", "ok", f"nothing left in {place / FOLDER}")


def _is_held(spool: Path) -> bool:
    owner = read_owner(spool)
    return owner is not None and owner.is_alive()
