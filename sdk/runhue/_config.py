"""`run.config`: what the run was started with."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runhue._errors import ConfigChanged, UsageError
from runhue._section import Section
from runhue._values import check_key, plain

Edit = Callable[[dict[str, Any], list[str]], None]
"""Records top-level keys set, and keys removed."""


class Config(Section):
    """Keys and values by item or attribute; each change is recorded at once.

    A key that has a value keeps it: another one raises `ConfigChanged` unless it comes by
    `update(..., allow_val_change=True)` or the settings allow it. Values that are no JSON become
    their `str`.
    """

    def __init__(self, values: Mapping[str, Any], record: Edit, allow_val_change: bool) -> None:
        object.__setattr__(self, "_record", record)
        object.__setattr__(self, "_allow_val_change", allow_val_change)
        super().__init__(values, self._record_key)

    def _record_key(self, key: str) -> None:
        if key in self:
            self._record({key: self[key]}, [])
        else:
            self._record({}, [key])

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def update(  # type: ignore[override]  # takes all that init(config=) takes
        self, values: Any = None, allow_val_change: bool | None = None, **more: Any
    ) -> None:
        """Set many keys with one record.

        Raises:
            ConfigChanged: a key has another value, and changing it is not allowed. Nothing is set.
        """
        allowed = self._allow_val_change if allow_val_change is None else allow_val_change
        changed = self._differing(config_values(values) | config_values(more), allowed)
        for key, value in changed.items():
            dict.__setitem__(self, key, self._within(key, value))
        if changed:
            self._record(changed, [])

    def setdefaults(self, values: Any) -> None:
        """Set the keys that have no value yet."""
        self.update({key: value for key, value in config_values(values).items() if key not in self})

    def as_dict(self) -> dict[str, Any]:
        """A copy as plain dicts."""
        return json.loads(json.dumps(self))  # type: ignore[no-any-return]  # a dict comes back as a dict

    def _differing(self, values: dict[str, Any], allowed: bool) -> dict[str, Any]:
        changed = {key: value for key, value in values.items() if key not in self or self[key] != value}
        for key in changed:
            if key in self and not allowed:
                raise ConfigChanged(
                    f"config {key!r} is {self[key]!r} and would become {changed[key]!r}: say so with"
                    " config.update(..., allow_val_change=True)"
                )
        return changed


def config_values(source: Any) -> dict[str, Any]:  # whatever init(config=) takes
    """Plain values by key of a dict, argparse Namespace, dataclass, or path of a YAML or JSON file.

    Raises:
        UsageError: the file cannot be read or holds no keys, or the source is of another kind.
        BadKey: a key cannot be stored.
    """
    if source is None:
        return {}
    if isinstance(source, str | Path):
        source = _from_file(Path(source))
    elif dataclasses.is_dataclass(source) and not isinstance(source, type):
        source = {field.name: getattr(source, field.name) for field in dataclasses.fields(source)}
    elif not isinstance(source, Mapping):
        source = _attributes(source)
    named = {key if isinstance(key, str) else str(key): value for key, value in source.items()}
    return {check_key(key): plain(value, key, lenient=True) for key, value in named.items()}


def _attributes(source: object) -> dict[str, Any]:
    if isinstance(source, type) or not hasattr(source, "__dict__"):
        raise UsageError(
            f"config takes a dict, argparse Namespace, dataclass or file, not {type(source).__name__}"
        )
    return vars(source)


def _from_file(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"config file {path} cannot be read: {error}") from error
    values = json.loads(text) if path.suffix == ".json" else _yaml(text, path)
    if not isinstance(values, Mapping):
        raise UsageError(f"config file {path} holds no keys")
    return _unwrapped(values)


def _yaml(text: str, path: Path) -> Any:  # whatever the file holds
    try:
        import yaml  # optional: only those who use YAML need it
    except ImportError as error:
        raise UsageError(f"reading {path} needs PyYAML: `pip install pyyaml`, or use JSON") from error
    return yaml.safe_load(text)


def _unwrapped(values: Mapping[str, Any]) -> dict[str, Any]:
    """wandb's config files put each value under `value`, beside `desc`."""
    return {
        key: value["value"]
        if isinstance(value, Mapping) and set(value) <= {"value", "desc"} and "value" in value
        else value
        for key, value in values.items()
        if key != "wandb_version"
    }
