"""Specs against the JSON schemas of Vega and Vega-Lite, and the one error that says what is wrong."""

import difflib
import json
import lzma
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from runhue_shared.charts.contents import Library
from runhue_shared.charts.refusals import PresetRefused

VERSIONS = (5, 6)
"""Major versions that both libraries have, and whose schemas we hold."""

MAX_SECONDS = 5.0
SHOWN = 12
"""So many allowed names and values an error lists."""


@lru_cache(maxsize=2)
def _schema(library: Library, version: int) -> Mapping[str, Any]:
    """The official JSON schema; two of them take some 20 MB."""
    packed = files("runhue_shared.charts").joinpath(f"schemas/{library}-v{version}.json.xz").read_bytes()
    return json.loads(lzma.decompress(packed))  # type: ignore[no-any-return]  # a JSON object


def check_schema(spec: Mapping[str, Any], library: Library, version: int | None) -> None:
    """Refuse a spec, whose placeholders are filled, that the library's schema does not allow.

    Older specs than of version 5 are read as those, newer ones as of version 6.

    Raises:
        PresetRefused: names the place, what is there, and what is allowed.
    """
    newest = VERSIONS[-1]
    number = newest if version is None else min(max(version, VERSIONS[0]), newest)
    errors = list(_errors(spec, _schema(library, number)))
    if errors:
        raise _refusal(errors, f"{library} {number}")


def _errors(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """The schema's errors. Alternatives inside alternatives multiply: the time they take is bounded."""
    until = time.monotonic() + MAX_SECONDS

    def bounded(validator: Any, target: Any, instance: Any, within: Any) -> Any:  # a keyword of jsonschema
        if time.monotonic() > until:
            why = f"could not be checked in {MAX_SECONDS:g} seconds"
            raise PresetRefused((), why, "nest views and conditions less deep")
        return Draft7Validator.VALIDATORS["$ref"](validator, target, instance, within)

    kind = extend(Draft7Validator, {"$ref": bounded})  # type: ignore[no-untyped-call]  # types-jsonschema has none
    yield from kind(schema).iter_errors(spec)


def _refusal(errors: Iterable[ValidationError], language: str) -> PresetRefused:
    """The refusal for the error that lies deepest: alternatives that fail further out were not meant.

    At one place a wrong value counts more than a member that some alternative does not know.
    """
    leaves = [leaf for error in errors for leaf in _leaves(error)]
    placed = [(place, leaf) for leaf in leaves for place in _places(leaf)]
    deepest = max(placed, key=lambda one: (len(one[0]), one[1].validator != "additionalProperties"))[0]
    here = [leaf for place, leaf in placed if place == deepest]
    unknown = [leaf for leaf in here if leaf.validator == "additionalProperties"]
    if len(unknown) == len(here):
        return _unknown_member(deepest, unknown, language)
    return _wrong_value(deepest, [leaf for leaf in here if leaf not in unknown], language)


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    if not error.context:
        yield error
    for inner in error.context or ():
        yield from _leaves(inner)


def _places(error: ValidationError) -> Iterator[tuple[str | int, ...]]:
    """Where the error lies: of members that are not allowed, at each of them."""
    at = tuple(error.absolute_path)
    if error.validator != "additionalProperties" or not isinstance(error.instance, dict):
        yield at
        return
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    yield from ((*at, name) for name in error.instance if name not in known)


def _unknown_member(
    path: tuple[str | int, ...], errors: Iterable[ValidationError], language: str
) -> PresetRefused:
    schemas = [error.schema for error in errors if isinstance(error.schema, dict)]
    known = sorted({name for schema in schemas for name in schema.get("properties", {})})
    near = difflib.get_close_matches(str(path[-1]), known, SHOWN) or known
    return PresetRefused(path, f"{language} knows no such member here", f"allowed are {_listed(near)}")


def _wrong_value(path: tuple[str | int, ...], errors: list[ValidationError], language: str) -> PresetRefused:
    missing = sorted({_missing(error) for error in errors if error.validator == "required"})
    allowed = [choice for error in errors for choice in _choices(error)]
    found = json.dumps(errors[0].instance)[:80]
    allowed = [*difflib.get_close_matches(found, allowed), *allowed]
    if allowed:
        return PresetRefused(
            path, f"{found} is not allowed here by {language}", f"allowed are {_listed(allowed)}"
        )
    if missing:
        return PresetRefused(path, f"lacks what {language} needs here", f"add {_listed(missing)}")
    why = errors[0].message[:200]
    return PresetRefused(path, f"{why} ({language})", "see the reference of the library")


def _missing(error: ValidationError) -> str:
    """The member that is required and not there; jsonschema quotes it at the message's beginning."""
    return str(error.message).partition(" is a required")[0].strip("'")


def _choices(error: ValidationError) -> Iterator[str]:
    """What the error's schema would take: values, or types."""
    allowed = error.validator_value
    if error.validator == "enum" and isinstance(allowed, list):
        yield from (json.dumps(value) for value in allowed)
    elif error.validator == "const":
        yield json.dumps(allowed)
    elif error.validator == "type":
        yield from map(str, allowed if isinstance(allowed, list) else [allowed])


def _listed(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = f" and {len(distinct) - SHOWN} more" if len(distinct) > SHOWN else ""
    return ", ".join(distinct[:SHOWN]) + more
