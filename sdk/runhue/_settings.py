"""Settings of a run, and where each comes from: call, `Settings` object, environment, default."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from runhue._errors import UsageError

Mode = Literal["online", "offline", "disabled"]
Resume = Literal["allow", "must", "never", "auto"]
Reinit = Literal["return_previous", "finish_previous", "create_new"]
Console = Literal["wrap", "off"]

DEFAULT_URL = "http://127.0.0.1:8080"
FOLDER = ".runhue"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run logs. Durations are seconds, sizes bytes.

    `base_url` names the server; `ingest_url` only where the server cannot say it itself. `dir` is
    where `.runhue/` is put. `strict_steps` makes a lower `step` raise instead of merging into the
    stored one. `init_timeout` bounds the wait for the server in `init()`, `finish_timeout` that of
    `finish()`, and `unreachable_timeout` the part of it without any answer.
    `system_metrics_interval` 0 turns sampling off. `send_leftovers` sends what dead processes left
    in the same folder.
    """

    base_url: str = DEFAULT_URL
    ingest_url: str = ""
    api_key: str = field(default="", repr=False)
    team: str | None = None
    project: str = "uncategorized"
    run_id: str | None = None
    run_name: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    group: str | None = None
    job_type: str | None = None
    mode: Mode = "online"
    resume: Resume | None = None
    reinit: Reinit = "return_previous"
    dir: Path = Path()
    strict_steps: bool = False
    allow_val_change: bool = False
    console: Console = "wrap"
    silent: bool = False
    metadata: bool = True
    system_metrics_interval: float = 10.0
    init_timeout: float = 30.0
    finish_timeout: float = 300.0
    unreachable_timeout: float = 20.0
    segment_bytes: int = 16 * 1024 * 1024
    send_leftovers: bool = True

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise UsageError(f"{name} must be one of {', '.join(map(str, allowed))}; got {value!r}")
        for name in _TEXTS:
            _check_text(name, getattr(self, name))
        if not self.base_url.startswith(("http://", "https://")):
            raise UsageError(f"base_url must start with http:// or https://, got {self.base_url!r}")

    @property
    def folder(self) -> Path:
        """Where spools are kept."""
        return self.dir / FOLDER


_CHOICES: dict[str, tuple[object, ...]] = {
    "mode": get_args(Mode),
    "resume": (*get_args(Resume), None),
    "reinit": get_args(Reinit),
    "console": get_args(Console),
}

_TEXTS = ("project", "team", "run_id", "run_name", "notes", "group", "job_type", "tags")

_ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "base_url": ("BASE_URL",),
    "ingest_url": ("INGEST_URL",),
    "api_key": ("API_KEY",),
    "team": ("TEAM", "ENTITY"),
    "project": ("PROJECT",),
    "run_id": ("RUN_ID",),
    "run_name": ("NAME", "RUN_NAME"),
    "notes": ("NOTES",),
    "tags": ("TAGS",),
    "group": ("RUN_GROUP",),
    "job_type": ("JOB_TYPE",),
    "mode": ("MODE",),
    "resume": ("RESUME",),
    "dir": ("DIR",),
    "silent": ("SILENT",),
    "console": ("CONSOLE",),
}

_SAME_MODE = {"dryrun": "offline", "run": "online", "shared": "online"}
_SAME_REINIT = {True: "finish_previous", False: "return_previous", "default": "return_previous"}


def resolve(
    given: Mapping[str, Any],  # values of fields of Settings
    settings: Settings | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from what a call gave, over a `Settings` object, over `RUNHUE_*`, over `WANDB_*`.

    A None in `given` means not given; a field of `settings` at its default counts as not set.

    Raises:
        UsageError: a value is not one of those allowed.
    """
    chosen: dict[str, Any] = _from_environment(os.environ if environment is None else environment)
    if settings is not None:
        chosen.update(_set_fields(settings))
    chosen.update({name: _normal(name, value) for name, value in given.items() if value is not None})
    chosen["dir"] = Path(chosen.get("dir", "")).absolute()
    return replace(Settings(), **chosen)


def _check_text(name: str, value: Any) -> None:  # text, texts or None
    for text in value if isinstance(value, tuple) else (value,):
        if isinstance(text, str) and any("\ud800" <= character <= "\udfff" for character in text):
            raise UsageError(f"{name} must be valid Unicode, got {text!a}: it holds half a surrogate pair")


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:  # values of fields of Settings
    found = {}
    for name, suffixes in _ENVIRONMENT.items():
        variables = [f"{prefix}_{suffix}" for prefix in ("RUNHUE", "WANDB") for suffix in suffixes]
        value = next((environment[variable] for variable in variables if environment.get(variable)), None)
        if value is not None:
            found[name] = _normal(name, value)
    return found


def _set_fields(settings: Settings) -> dict[str, Any]:  # values of fields of Settings
    default = Settings()
    values = {entry.name: getattr(settings, entry.name) for entry in fields(settings)}
    return {name: value for name, value in values.items() if value != getattr(default, name)}


def _normal(name: str, value: Any) -> Any:  # from text, or from one of several spellings
    if name == "tags":
        return (
            tuple(tag.strip() for tag in value.split(",") if tag.strip())
            if isinstance(value, str)
            else tuple(value)
        )
    if name == "dir":
        return Path(value)
    if name == "silent" and isinstance(value, str):
        return value.strip().lower() in {"1", "true", "yes", "on"}
    if name == "mode":
        return _SAME_MODE.get(value, value)
    if name == "reinit":
        return _SAME_REINIT.get(value, value)
    if name == "resume":
        return _resume(value)
    return "wrap" if name == "console" and value in {"auto", "redirect", "wrap_raw"} else value


def _resume(value: object) -> object:
    if value is True or str(value).lower() == "true":
        return "auto"
    return None if value is False or str(value).lower() in {"false", ""} else value
