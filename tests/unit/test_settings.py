"""The services' settings, and what is said of those that cannot be used."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from runhue_server.cli import server_commands
from runhue_shared.settings import BadSettings, settings


@pytest.fixture(autouse=True)
def read_anew() -> Iterator[None]:
    """Each test reads the environment, and so does what comes after it."""
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_every_bad_variable_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong type and wrong range are told at once, by the names that the user set."""
    monkeypatch.setenv("RUNHUE_FLUSH_INTERVAL_MS", "abc")
    monkeypatch.setenv("RUNHUE_MAX_JSON_DEPTH", "0")

    with pytest.raises(BadSettings, match=r"RUNHUE_MAX_JSON_DEPTH='0': .*RUNHUE_FLUSH_INTERVAL_MS='abc': "):
        settings()


def test_a_bad_setting_stops_a_command_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback for what a user can mend."""
    monkeypatch.setenv("RUNHUE_API_PORT", "many")

    done = CliRunner().invoke(server_commands, ["migrate"])

    assert done.exit_code == 1
    assert done.output.startswith("Error: RUNHUE_API_PORT='many': ")
    assert done.output.count("\n") == 1


def test_a_database_that_is_away_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that names it is told."""
    monkeypatch.setenv("RUNHUE_DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")

    done = CliRunner().invoke(server_commands, ["migrate"])

    assert done.exit_code == 1
    assert done.output.startswith("Error: the Postgres of RUNHUE_DATABASE_URL cannot be used: ")
