"""What is kept of stdout and stderr."""

import sys
import threading
from pathlib import Path

import pytest

from runhue._console import MAX_LINES_A_SECOND, shown_line
from tests.unit.sdk.spooled import log_batch_of, offline_run


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m text", "red text"),
        ("10%\r50%\r100%", "100%"),
        ("done\r", "done"),
        ("\x1b]0;title\x07text", "text"),
        ("x" * 9000, "x" * 8192 + "..."),
    ],
)
def test_lines_are_kept_as_a_terminal_shows_them(written: str, shown: str) -> None:
    """Escapes are removed, a carriage return starts the line over, and length is bounded."""
    assert shown_line(written) == shown


def test_output_goes_on_and_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed appears as before, and its lines are recorded with their stream."""
    before = (sys.stdout, sys.stderr)
    with offline_run(tmp_path, console="wrap") as run:
        print("one\ntw", end="")
        print("o")
        print("error", file=sys.stderr)
        sys.stdout.write("50%\r")
        sys.stdout.write("100%\rend without newline")
        assert sys.stdout.encoding

    assert (sys.stdout, sys.stderr) == before
    lines = [(line.stream, line.text) for line in log_batch_of(run.dir).console]
    assert lines == [
        ("stdout", "one"),
        ("stdout", "two"),
        ("stderr", "error"),
        ("stdout", "end without newline"),
    ]
    assert capsys.readouterr().out == "one\ntwo\n50%\r100%\rend without newline"


def test_printing_and_logging_threads_do_not_wait_for_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A `log()` that says something, as on a full disk, goes on while another thread prints."""
    with offline_run(tmp_path, console="wrap") as run:
        printing = threading.Thread(target=lambda: [print(number) for number in range(3000)], daemon=True)
        printing.start()
        while printing.is_alive():
            with run._recorder.lock:
                print("in log()")
        printing.join()

    assert "in log()" in capsys.readouterr().out


def test_a_flood_is_bounded_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beyond 1,000 lines a second lines are counted, not kept."""
    with offline_run(tmp_path, console="wrap") as run:
        for number in range(5 * MAX_LINES_A_SECOND):
            print(number)

    lines = [line.text for line in log_batch_of(run.dir).console]
    left_out = [line for line in lines if "were left out" in line]
    assert left_out
    assert len(lines) < 5 * MAX_LINES_A_SECOND
    assert capsys.readouterr().out.count("\n") == 5 * MAX_LINES_A_SECOND
