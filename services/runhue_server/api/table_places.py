"""Where the bytes of tables and of the media in their cells are: files of the run, or of an artifact.

The wandb client keeps a table's media in the artifact that it logs beside it, and says so by addresses.
"""

import binascii
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from runhue_server.storage.file_names import type_of
from runhue_shared.db import Transaction, artifact_files, artifacts, run_files
from runhue_shared.db.artifact_files import File, Reference
from runhue_shared.db.keys import Principal

MAX_REFERENCES = 4
"""How often a file of an artifact may say that it lies in another one."""

_ADDRESS = re.compile(r"([a-z-]+://[^/]+)/(.+)", re.DOTALL)
_BY_CLIENT = re.compile(r"wandb-client-artifact://([^/:]+)(?::latest)?")
_BY_ID = re.compile(r"wandb-artifact://([0-9a-fA-F]+)")
_ARTIFACT_ID = re.compile(rb"Artifact:(\d{1,18})")


class StoredFile(NamedTuple):
    """A file whose bytes are stored; `size` in bytes."""

    path: str
    sha256: bytes
    size: int
    mimetype: str


class Place(NamedTuple):
    """What paths are relative to: an artifact, or else the run."""

    run_id: int
    artifact_id: int | None = None


class Located(NamedTuple):
    """A file, and the place that paths in it are relative to."""

    place: Place
    file: StoredFile


def is_path(address: str) -> bool:
    """Whether a text is a path of the run, and no address of a file in an artifact."""
    return "://" not in address


def locate(tx: Transaction, principal: Principal, run_id: int, address: str) -> Located | None:
    """The file at an address in an artifact; None when it is not there for the key."""
    artifact, path = _split(address)
    artifact_id = _artifact_named(tx, principal, artifact)
    if artifact_id is None:
        return None
    place = Place(run_id, artifact_id)
    found = files_at(tx, principal, place, [path]).get(path)
    return None if found is None else Located(place, found)


def files_at(
    tx: Transaction, principal: Principal, place: Place, paths: Collection[str], follow: int = MAX_REFERENCES
) -> dict[str, StoredFile]:
    """The files of a place by path; those that are not there are absent."""
    wanted = {path for path in paths if "\0" not in path}
    if not wanted:
        return {}
    if place.artifact_id is None:
        in_run = run_files.page(tx, place.run_id, len(wanted), names=wanted)
        return {file.path: StoredFile(file.path, file.sha256, file.size, file.mimetype) for file in in_run}
    listed = artifact_files.files_page(tx, place.artifact_id, len(wanted), only=wanted)
    found = {file.path: _stored(file) for file in listed if isinstance(file, File)}
    references = [file for file in listed if not isinstance(file, File)]
    return found | _followed(tx, principal, place.run_id, references, follow)


def _stored(file: File) -> StoredFile:
    return StoredFile(file.path, file.sha256, file.size, type_of(file.path))


def _followed(
    tx: Transaction, principal: Principal, run_id: int, references: Sequence[Reference], follow: int
) -> dict[str, StoredFile]:
    """What the references lead to, by their own paths; each artifact that they name is asked once."""
    if follow == 0:
        return {}
    paths: dict[str, dict[str, str]] = {}
    for reference in references:
        artifact, path = _split(reference.address)
        paths.setdefault(artifact, {})[reference.path] = path
    found: dict[str, StoredFile] = {}
    for artifact, asked in paths.items():
        artifact_id = _artifact_named(tx, principal, artifact)
        if artifact_id is not None:
            there = files_at(tx, principal, Place(run_id, artifact_id), set(asked.values()), follow - 1)
            found |= {own: there[path] for own, path in asked.items() if path in there}
    return found


def _split(address: str) -> tuple[str, str]:
    """(what names the artifact, the path in it) of an address; both are empty when it is none."""
    found = _ADDRESS.fullmatch(address) if "\0" not in address else None
    return (found[1], found[2]) if found is not None else ("", "")


def _artifact_named(tx: Transaction, principal: Principal, name: str) -> int | None:
    """The artifact of an address; None when the key reaches none."""
    by_client, by_id = _BY_CLIENT.fullmatch(name), _BY_ID.fullmatch(name)
    number: int | None = None
    if by_client is not None:
        number = artifacts.clients_artifact(tx, [principal.team_id], by_client[1])
    elif by_id is not None:
        number = _artifact_number(by_id[1])
    found = None if number is None else artifacts.artifact(tx, number)
    if found is None or found.team_id != principal.team_id or not principal.reaches(found.project_id):
        return None
    return found.id


def _artifact_number(digits: str) -> int | None:
    """The number in an id as clients write it into addresses: in hex, and not in base64."""
    try:
        found = _ARTIFACT_ID.fullmatch(binascii.unhexlify(digits))
    except binascii.Error:
        return None
    return None if found is None else int(found[1])
