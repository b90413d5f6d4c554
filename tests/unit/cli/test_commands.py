"""The command line without a server: help, errors in one line, exit codes."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from runhue import cli
from runhue._public_api import exchange

GOLDEN = Path(__file__).with_name("help.txt")
WIDTH = 100


class Outcome(NamedTuple):
    """What a call of the command line came to."""

    code: int | str | None
    out: str
    err: str


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No server, no stored key, no entry points."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("RUNHUE_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("RUNHUE_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exchange, "FIRST_DELAY", 0.01)
    install(monkeypatch, [])


def install(monkeypatch: pytest.MonkeyPatch, entries: list[EntryPoint]) -> None:
    monkeypatch.setattr(
        cli, "entry_points", lambda group: EntryPoints(e for e in entries if e.group == group)
    )
    cli.server_commands.cache_clear()


@pytest.fixture
def runhue(capsys: pytest.CaptureFixture[str]) -> "Runner":
    return Runner(capsys)


class Runner:
    """Calls the command line in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as leaving:
            cli.main(arguments)
        out, err = self._capsys.readouterr()
        return Outcome(leaving.value.code, out, err)


def help_of_everything() -> str:
    """The help texts of all commands of this package, in order."""
    parts = []
    with click.Context(cli.commands, info_name="runhue", terminal_width=WIDTH) as top:
        parts.append(top.get_help())
        for name in sorted(cli.COMMANDS):
            command = cli.commands.get_command(top, name)
            assert command is not None
            parts += _help(command, top, name)
    return "\n\n----\n\n".join(parts) + "\n"


def _help(command: click.Command, parent: click.Context, name: str) -> list[str]:
    with click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH) as context:
        parts = [context.get_help()]
        if isinstance(command, click.Group):
            for inner in sorted(command.commands):
                parts += _help(command.commands[inner], context, inner)
        return parts


def test_help_texts_are_the_golden_ones() -> None:
    """Help changes on purpose only; `WRITE_GOLDEN=1 pytest` writes the file anew."""
    found = help_of_everything()
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(found, encoding="utf-8")

    assert found == GOLDEN.read_text(encoding="utf-8")


def test_every_command_has_an_example() -> None:
    """Each command's help ends with one that can be copied."""
    texts = help_of_everything().split("\n\n----\n\n")

    lacking = [
        text.splitlines()[0] for text in texts if "Example: runhue" not in text and "Commands:" not in text
    ]

    assert lacking == []


def test_the_list_of_commands_is_whole_in_80_columns() -> None:
    """No summary is cut off."""
    with click.Context(cli.commands, info_name="runhue", terminal_width=80) as top:
        texts = [top.get_help()]
        colors = cli.commands.get_command(top, "colors")
        assert colors is not None
        texts += _help(colors, top, "colors")[:1]

    listed = [line for text in texts for line in text.partition("Commands:")[2].splitlines()]
    assert len(listed) > len(cli.COMMANDS)
    assert [line for line in listed if line.endswith("...")] == []


def test_version(runhue: Runner) -> None:
    """--version prints one line."""
    outcome = runhue("--version")

    assert (outcome.code, outcome.out.split()[0], outcome.err) == (0, "runhue", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("runs",),
        ("runs", "mnist", "--limit", "0"),
        ("runs", "mnist", "--filter", "{]"),
        ("runs", "mnist", "--filter", "[1]"),
        ("runs", "a/b/c"),
        ("run", "lonely"),
        ("colors", "set", "mnist", "--buckets", "9"),
        ("login", "--key", "a", "--key-stdin"),
        ("sync", "no-such-folder"),
        ("projects", "--host", "runhue.example.org"),
    ],
)
def test_calls_that_mean_nothing_exit_with_2(runhue: Runner, arguments: tuple[str, ...]) -> None:
    """A usage error is one line on stderr, whatever is wrong with the call."""
    outcome = runhue(*arguments)

    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def test_a_server_that_is_away_exits_with_1(runhue: Runner) -> None:
    """A failure is one line that says what to do."""
    outcome = runhue("login", "--key", "secret")

    assert outcome.code == 1
    assert outcome.err.startswith("error: no answer from http://127.0.0.1:9: ")
    assert "check its address" in outcome.err


def test_server_commands_say_what_to_install(runhue: Runner) -> None:
    """Without the server extra `up` and `demo` are known and say how to get them, with any options."""
    for name in ("up", "demo"):
        outcome = runhue(name, "--data-dir", "x", "--help")

        assert outcome.code == 1
        assert outcome.err == f"error: `runhue {name}` needs the server: in a clone, pip install '.[local]'\n"


def test_entry_points_bring_commands_and_broken_ones_do_not_hurt(
    runhue: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands of an installed package are there; one whose dependencies are missing is left out."""
    group = cli.SERVER_GROUP
    entries = [
        EntryPoint("server", f"{__name__}:server_group", group),
        EntryPoint("broken", "runhue_no_such_module:command", group),
    ]
    install(monkeypatch, entries)

    assert runhue("up", "--shout").out == "UP\n"
    assert runhue("demo").code == 1


def test_nothing_to_sync(runhue: Runner) -> None:
    """A folder without leftovers is no failure."""
    outcome = runhue("sync")

    assert outcome.code == 0
    assert outcome.out.startswith("nothing to send in ")


def test_a_reader_that_stops_reading_is_no_traceback() -> None:
    """`runhue --help | true` ends quietly."""
    unread, pipe = os.pipe()
    os.close(unread)
    command = [sys.executable, "-m", "runhue", "--help"]

    done = subprocess.run(command, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, timeout=60)

    os.close(pipe)
    assert (done.returncode, done.stderr) == (1, "")


def test_the_command_line_starts_without_the_network_client() -> None:
    """`runhue --version` loads neither httpx nor the reading side."""
    code = "import sys, runhue.cli; print(sorted({'httpx', 'rich', 'runhue._public_api'} & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "[]\n"


@click.group()
def server_group() -> None:
    """Stands for the server's group."""


@server_group.command()
@click.option("--shout", is_flag=True)
def up(shout: bool) -> None:
    click.echo("UP" if shout else "up")
