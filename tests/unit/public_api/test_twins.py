"""What `Api` can, `AsyncApi` can: the classes have the same methods, which take the same arguments."""

import inspect

import pytest

from runhue._public_api import api, async_api, files, media, runs, tables

PAIRS: list[tuple[type, type, set[str]]] = [
    (api.Api, async_api.AsyncApi, {"color_keys", "create_project", "create_workspace"}),
    (runs.Run, async_api.AsyncRun, {"alerts", "send_edits", "series", "system_metrics"}),
    (files.File, files.AsyncFile, set()),
    (media.Medium, media.AsyncMedium, set()),
    (media.MediaLayer, media.AsyncMediaLayer, set()),
    (media.Rendition, media.AsyncRendition, set()),
    (tables.RunTable, tables.AsyncRunTable, set()),
]
"""Both classes, and what only the first has, as docs/sdk.md says."""


def methods_of(found: type) -> dict[str, list[str]]:
    """The parameters of a class's public methods and properties, by name."""
    named = {name: getattr(found, name) for name in dir(found) if not name.startswith("_")}
    return {
        name: [*inspect.signature(one).parameters] if inspect.isfunction(one) else []
        for name, one in named.items()
    }


@pytest.mark.parametrize(("one", "other", "alone"), PAIRS)
def test_both_have_the_same_methods(one: type, other: type, alone: set[str]) -> None:
    """Nothing is missing but what is known to be, and names and order of parameters are the same."""
    blocking, waiting = methods_of(one), methods_of(other)
    waiting.get("history", []).extend(["pandas"] if one is runs.Run else [])

    assert blocking == waiting | {name: blocking[name] for name in alone}


@pytest.mark.parametrize(("one", "other", "alone"), PAIRS)
def test_methods_say_what_they_do(one: type, other: type, alone: set[str]) -> None:
    """Every public method has a docstring."""
    functions = {
        f"{found.__name__}.{name}": part
        for found in (one, other)
        for name, part in inspect.getmembers(found, inspect.isfunction)
        if not name.startswith("_")
    }
    assert [name for name, part in functions.items() if not inspect.getdoc(part)] == []
    assert alone <= set(dir(one))
