"""Which server programs are used, and how an account that cannot reach them is served."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runhue_server.embedded import binaries
from runhue_server.embedded.account import Account, account_by_name, can_reach
from runhue_server.embedded.binaries import (
    PostgresPrograms,
    data_major,
    find_postgres,
    find_valkey,
    major_in,
    package_directory,
    reachable,
)
from runhue_server.embedded.errors import ServerNotFoundError, StackError, WrongMajorError

STRANGER = Account("stranger", 61234, 61234)


def fake_program(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


def fake_postgres(directory: Path, major: int) -> Path:
    fake_program(directory / "initdb", f"initdb (PostgreSQL) {major}.1")
    fake_program(directory / "postgres", f"postgres (PostgreSQL) {major}.1")
    return directory


@pytest.fixture
def two_majors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only Postgres 16 and 18 exist."""
    found = [fake_postgres(tmp_path / str(major), major) for major in (16, 18)]
    monkeypatch.setattr(binaries, "_postgres_directories", lambda: iter(found))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("postgres (PostgreSQL) 18.4", 18),
        ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", 15),
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64", 9),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", 7),
        ("bash: command not found", 0),
        ("", 0),
    ],
)
def test_major_is_read_from_what_the_program_prints(text: str, major: int) -> None:
    """Postgres, Valkey and Redis each say it their way."""
    assert major_in(text) == major


def test_wheels_are_found_without_importing_their_wrappers() -> None:
    """The wrappers create system users as root; their code must not even be loaded."""
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from runhue_server.embedded.binaries import find_postgres, find_valkey\n"
        "find_postgres(Path('/nonexistent')); find_valkey()\n"
        "print([name for name in sys.modules if name.startswith(('pixeltable', 'valkey'))])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_programs_are_usable_here() -> None:
    """The development environment has both servers."""
    assert find_postgres(Path("/nonexistent")).initdb.exists()
    assert os.access(find_valkey(), os.X_OK)


def test_new_data_gets_the_newest_major(two_majors: Path) -> None:
    """Where there is no database yet, the newest program makes it."""
    assert find_postgres(two_majors / "no data").major == 18


def test_old_data_gets_the_program_that_wrote_it(two_majors: Path) -> None:
    """An upgraded machine goes on with the old major as long as that is installed."""
    data = two_majors / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")

    assert find_postgres(data) == PostgresPrograms(two_majors / "16", 16)


@pytest.mark.parametrize("major", [15, 19])
def test_data_without_its_program_is_refused(two_majors: Path, major: int) -> None:
    """Older and newer data alike; the message names both sides and the fix."""
    data = two_majors / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text(f"{major}\n")

    with pytest.raises(
        WrongMajorError, match=rf"Postgres {major}, but only Postgres 18 in .*put Postgres {major}"
    ):
        find_postgres(data)


def test_unreadable_version_is_refused(tmp_path: Path) -> None:
    """A damaged PG_VERSION does not count as an empty directory."""
    (tmp_path / "PG_VERSION").write_text("eighteen\n")

    with pytest.raises(StackError, match="not a Postgres major"):
        data_major(tmp_path)


def test_missing_servers_name_the_extra_and_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways out are in the message."""
    monkeypatch.setattr(binaries, "_postgres_directories", lambda: iter(()))
    monkeypatch.setattr(binaries, "_valkey_candidates", lambda: iter(()))

    with pytest.raises(ServerNotFoundError, match=r"\[local\].*RUNHUE_DATABASE_URL"):
        find_postgres(Path("/nonexistent"))
    with pytest.raises(ServerNotFoundError, match=r"\[local\].*RUNHUE_REDIS_URL"):
        find_valkey()


def test_servers_on_path_serve_without_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has both servers needs no wheel."""
    fake_postgres(tmp_path, 17)
    fake_program(tmp_path / "redis-server", "Redis server v=7.2.4 sha=00000000:0")
    monkeypatch.setattr(binaries, "package_directory", lambda _package: None)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert PostgresPrograms(tmp_path.resolve(), 17) in binaries.postgres_installations()
    assert find_valkey() == (tmp_path / "redis-server").resolve()


def test_package_that_is_not_installed_has_no_directory() -> None:
    """No exception: PATH is looked at next."""
    assert package_directory("no_such_package_as_this") is None


def test_program_in_a_private_directory_is_copied_whole(tmp_path: Path) -> None:
    """Another account gets a copy that everyone may run, with the wheel's libraries in their place."""
    packages = tmp_path / "private"
    tree, libraries = packages / "wheel" / "pginstall18", packages / "wheel.libs"
    program = fake_program(tree / "bin" / "postgres", "postgres (PostgreSQL) 18.1")
    for file in (tree / "share" / "postgres.bki", libraries / "libpq.so"):
        file.parent.mkdir()
        file.write_text("content")
        file.chmod(0o600)
    packages.chmod(0o700)

    store = tmp_path / "store"
    copy = reachable(tree, program, STRANGER, beside=[libraries], store=store) / "bin" / "postgres"

    packaged = copy.parents[3]
    assert packaged.parent == store / "programs"
    assert copy.stat().st_mode & 0o777 == 0o755
    assert (copy.parents[1] / "share" / "postgres.bki").stat().st_mode & 0o777 == 0o644
    assert (packaged / "wheel.libs" / "libpq.so").stat().st_mode & 0o777 == 0o644
    assert reachable(tree, program, STRANGER, beside=[libraries], store=store) == copy.parents[1]


def test_single_program_is_copied_without_its_neighbors(tmp_path: Path) -> None:
    """A server among other private files takes none of them along."""
    program = fake_program(tmp_path / "bin" / "valkey-server", "Valkey server v=9.1.2")
    (tmp_path / "bin" / "secret").write_text("secret")
    (tmp_path / "bin").chmod(0o700)

    copy = reachable(program, program, STRANGER, store=tmp_path / "store")

    assert copy.read_bytes() == program.read_bytes()
    assert [file.name for file in copy.parent.iterdir()] == ["valkey-server"]


def test_program_that_the_account_can_run_is_used_in_place(tmp_path: Path) -> None:
    """No copy without a need, and none for a user who keeps its own account."""
    program = fake_program(tmp_path / "private" / "postgres", "x")
    (tmp_path / "private").chmod(0o700)
    shell = Path("/bin/sh")

    assert reachable(program, program, None, store=tmp_path / "store") == program
    assert reachable(shell, shell, STRANGER, store=tmp_path / "store") == shell
    assert not (tmp_path / "store").exists()


def test_closed_parent_closes_what_is_below(tmp_path: Path) -> None:
    """Reachable means that each directory on the way may be passed."""
    inner = tmp_path / "closed" / "open"
    inner.mkdir(parents=True)
    inner.chmod(0o755)
    (tmp_path / "closed").chmod(0o700)

    assert not can_reach(inner, STRANGER)
    assert can_reach(Path("/"), STRANGER)


@pytest.mark.parametrize(
    ("name", "reason"), [("no-such-user-here", "no account"), ("root", "does not run as root")]
)
def test_unusable_account_is_refused_by_name(name: str, reason: str) -> None:
    """RUNHUE_EMBEDDED_USER names an account that exists and is not root."""
    with pytest.raises(StackError, match=f"RUNHUE_EMBEDDED_USER is '{name}'.*{reason}"):
        account_by_name(name)
