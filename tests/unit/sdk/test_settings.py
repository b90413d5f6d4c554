"""Where settings come from, what is refused, and where keys are kept."""

from pathlib import Path

import pytest

import runhue
from runhue import _credentials, errors
from runhue._settings import resolve
from tests.unit.sdk.spooled import offline_run, quiet, rows_of


def test_call_wins_over_object_over_environment() -> None:
    """The nearest source wins: call, Settings object, RUNHUE_*, WANDB_*, default."""
    environment = {
        "WANDB_PROJECT": "wandb",
        "WANDB_ENTITY": "wandb-team",
        "RUNHUE_PROJECT": "runhue",
        "RUNHUE_TAGS": "a, b,",
        "WANDB_MODE": "dryrun",
        "RUNHUE_SILENT": "true",
        "RUNHUE_RESUME": "must",
        "RUNHUE_NAME": "",
    }

    found = resolve(
        {"notes": "call", "group": None}, runhue.Settings(notes="object", group="object"), environment
    )

    assert (found.project, found.team, found.tags) == ("runhue", "wandb-team", ("a", "b"))
    assert (found.notes, found.group, found.mode) == ("call", "object", "offline")
    assert (found.silent, found.resume, found.run_name) == (True, "must", None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "on"}, "mode must be one of online, offline, disabled; got 'on'"),
        ({"resume": "maybe"}, "resume must be one of allow, must, never, auto"),
        ({"base_url": "localhost:8080"}, "must start with http"),
    ],
)
def test_unknown_choices_are_named(given: dict[str, str], message: str) -> None:
    """A value that is none of those allowed is refused with the list."""
    with pytest.raises(errors.UsageError, match=message):
        resolve(given, None, {})


def test_key_is_not_shown() -> None:
    """The API key never appears in a printed Settings, nor in a spool."""
    assert "secret" not in repr(runhue.Settings(api_key="secret"))


def test_spool_holds_no_key(tmp_path: Path) -> None:
    """No file of a spool holds the API key, and none can be read by others."""
    with offline_run(tmp_path, api_key="verysecret") as run:
        run.log({"a": 1})

    files = [path for path in Path(run.dir).rglob("*") if path.is_file()]
    assert len(files) == 3
    assert all(b"verysecret" not in path.read_bytes() for path in files)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_keys_are_kept_per_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stored key is found for its server only, in a file for its owner only."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine other.example login user password from-netrc\n")

    runhue.login("key1", "http://one.example:8080/")
    runhue.login("key2", "http://two.example")

    assert _credentials.read_key("http://one.example:8080") == "key1"
    assert _credentials.read_key("http://two.example/") == "key2"
    assert _credentials.read_key("http://other.example") == "from-netrc"
    assert _credentials.read_key("http://nobody.example") is None
    assert (tmp_path / "runhue" / "credentials").stat().st_mode & 0o777 == 0o600
    assert _credentials.forget_key("http://two.example")
    assert _credentials.read_key("http://two.example") is None
    with pytest.raises(errors.UsageError):
        _credentials.write_key("http://one.example", "two words")


def test_a_damaged_file_of_keys_is_written_anew_by_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading says what to do, and doing it helps."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "runhue").mkdir()
    (tmp_path / "runhue" / "credentials").write_text("{half")
    with pytest.raises(errors.UsageError, match="runhue login"):
        _credentials.read_key("http://one.example")

    runhue.login("key1", "http://one.example")

    assert _credentials.read_key("http://one.example") == "key1"


def test_a_key_that_http_cannot_carry_does_not_stop_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run says so once, without the key, and goes on with its spool."""
    run = runhue.init(
        project="p",
        settings=quiet(
            tmp_path, mode="online", base_url="http://127.0.0.1:9", api_key="schlüssel", silent=False
        ),
    )
    run.log({"loss": 0.5})
    run.finish()

    said = capsys.readouterr().err
    assert "cannot be asked" in said
    assert "schl" not in said
    assert rows_of(run.dir) == [(0, {"loss": 0.5})]


def test_missing_key_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode online without a key is an error that names `runhue login`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))

    with pytest.raises(errors.AuthError, match="runhue login"):
        runhue.init(project="p", settings=quiet(tmp_path, mode="online", base_url="http://127.0.0.1:9"))


def test_disabled_run_keeps_nothing(tmp_path: Path) -> None:
    """Mode disabled has the same calls and writes no file."""
    with offline_run(tmp_path, mode="disabled") as run:
        run.log({"loss": 0.5})
        run.summary["best"] = 1
        run.config.update({"lr": 0.1})
        run.name = "x"
        assert (run.summary["loss"], run.config.lr, run.step, run.name) == (0.5, 0.1, 1, "x")
        with pytest.raises(TypeError):
            run.log({"loss": b""})

    assert list(tmp_path.iterdir()) == []


def test_module_functions_act_on_the_current_run(tmp_path: Path) -> None:
    """Without a run they raise a clear error; with one they are its methods."""
    assert runhue.run is None
    with pytest.raises(errors.NoRun, match=r"call runhue\.init"):
        runhue.log({"a": 1})
    with pytest.raises(errors.NoRun, match=r"call runhue\.init"):
        runhue.config["lr"] = 1
    with pytest.raises(errors.NoRun, match=r"call runhue\.init"):
        _ = runhue.summary.loss
    runhue.finish()

    with offline_run(tmp_path) as run:
        runhue.log({"a": 1})
        assert runhue.run is run
        assert runhue.summary["a"] == 1
        runhue.config.update({"lr": 2})
        runhue.define_metric("a", summary="max")
        runhue.alert("t", "x")

    assert runhue.run is None


def test_reinit_choices(tmp_path: Path) -> None:
    """A second init returns the run under way, finishes it, or stands beside it, as asked."""
    first = runhue.init(project="p", settings=quiet(tmp_path))
    same = runhue.init(project="p", settings=quiet(tmp_path, reinit="return_previous"))
    beside = runhue.init(project="p", settings=quiet(tmp_path))
    assert same is first
    assert beside is not first
    assert runhue.run is beside
    beside.finish()
    assert runhue.run is first

    after = runhue.init(project="p", reinit=True, settings=quiet(tmp_path))

    assert first.finished
    after.finish()


def test_auto_resume_takes_up_the_unfinished_run(tmp_path: Path) -> None:
    """resume="auto" goes on with the run that was not finished, and begins anew after a finished one."""
    first = runhue.init(project="p", resume="auto", settings=quiet(tmp_path))
    second = runhue.init(project="p", resume=True, settings=quiet(tmp_path))
    assert second.id == first.id
    second.finish()
    first.finish()

    third = runhue.init(project="p", resume="auto", settings=quiet(tmp_path))

    assert third.id != first.id
    third.finish()


def test_attributes_can_be_set(tmp_path: Path) -> None:
    """Name, notes, tags, group and job type are readable and settable."""
    with offline_run(tmp_path, run_name="first", tags=("a",), team="t") as run:
        assert (run.name, run.tags, run.team, run.entity, run.project) == ("first", ("a",), "t", "t", "tests")
        run.name = "second"
        run.tags = (*run.tags, "b")
        run.notes = "n"
        run.group = "g"
        run.job_type = "j"

        assert (run.name, run.tags, run.notes, run.group, run.job_type) == (
            "second",
            ("a", "b"),
            "n",
            "g",
            "j",
        )
