"""Calls that read and change the files of a run."""

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Protocol

from runhue._errors import BadPath, FileIsThere, ServerError, ServerRefused
from runhue._public_api.exchange import Call, Request, decode, exchange, fetch, get, quoted
from runhue._public_api.records import FilePage, FileRecord
from runhue._public_api.run_calls import RunPath
from runhue._saved_files import run_path

PAGE = 1_000


class Bytes(Protocol):
    """A file as far as its bytes go: its path in the run, and their SHA-256 in hex."""

    @property
    def path(self) -> str: ...

    @property
    def sha256(self) -> str: ...


def files_call(run: RunPath, prefix: str | None) -> Call[list[FileRecord]]:
    """The files of a run whose path begins with `prefix`, in order of their paths."""
    files: list[FileRecord] = []
    after: str | int | None = None
    while True:
        page = yield from fetch(FilePage, get(f"{run.url}/files", prefix=prefix, after=after, limit=PAGE))
        files += page.files
        after = page.next
        if after is None:
            return files


def file_call(run: RunPath, path: str) -> Call[FileRecord]:
    """One file of a run.

    Raises:
        ServerRefused: `file_not_found`.
    """
    page = yield from fetch(FilePage, get(f"{run.url}/files", prefix=path, limit=1))
    if not page.files or page.files[0].path != path:
        raise ServerRefused(f"run {run.id} has no file {path!r}", status=404, code="file_not_found")
    return page.files[0]


def read_file_call(run: RunPath, file: Bytes) -> Call[bytes]:
    """The bytes of a file, in memory."""
    response = yield from exchange(Request("GET", _url(run, file.path)))
    _check(file, hashlib.sha256(response.body).hexdigest())
    return response.body


def download_call(run: RunPath, file: Bytes, root: Path, *, replace: bool) -> Call[Path]:
    """Write a file below `root` under its path in the run, whole or not at all.

    Raises:
        FileIsThere: there is one, and it is not to be replaced.
        BadPath: its path leads out of `root`.
        ServerError: what came is not what the server said it has.
    """
    target = _local_path(root, file.path)
    if target.exists() and not replace:
        raise FileIsThere(f"{target} is there already: pass replace=True to replace it")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    try:
        yield from exchange(Request("GET", _url(run, file.path)), target=part)
        _check(file, _sha256(part))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def upload_file_call(run: RunPath, path: Path, root: Path) -> Call[FileRecord]:
    """Store a file under its path relative to `root`.

    Raises:
        BadPath: it is not below `root`, or no file.
    """
    source = Path(os.path.abspath(root / path))  # noqa: PTH100  # resolve() would follow links
    if not source.is_file():
        raise BadPath(f"there is no file {source}")
    name = run_path(source, Path(os.path.abspath(root)))  # noqa: PTH100
    return (yield from store_file_call(run, name, source))


def store_file_call(run: RunPath, path: str, content: bytes | Path) -> Call[FileRecord]:
    """Store bytes, or those of a file, under `path`.

    Raises:
        ServerError: what the server got is not what was sent.
    """
    before = _sha256(content) if isinstance(content, Path) else hashlib.sha256(content).hexdigest()
    response = yield from exchange(Request("PUT", _url(run, path), body=content))
    record = decode(response.body, FileRecord)
    _check(record, before)
    return record


def delete_file_call(run: RunPath, path: str) -> Call[None]:
    """Take a file off a run; one that is gone stays so."""
    yield from exchange(Request("DELETE", _url(run, path)))


def _url(run: RunPath, path: str) -> str:
    return f"{run.url}/files/{'/'.join(quoted(part) for part in path.split('/'))}"


def _local_path(root: Path, path: str) -> Path:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or (os.sep != "/" and os.sep in path):
        raise BadPath(f"the file {path!r} leads out of the folder it would be downloaded to")
    return root / parts


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _check(file: Bytes, sha256: str) -> None:
    if sha256 != file.sha256:
        raise ServerError(
            f"{file.path} has the hash {sha256} here and {file.sha256} on the server: it was changed"
            " meanwhile, or spoilt on its way",
            code="hash_mismatch",
        )
