"""`docs/event-path.md` names functions as `path::name`; each must be where the page says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STOP = re.compile(r"`([\w./]+\.(?:py|sql))(?:::([\w.]+))?`")


def stops() -> list[tuple[str, str]]:
    return STOP.findall((ROOT / "docs/event-path.md").read_text(encoding="utf-8"))


def names_in(path: Path) -> set[str]:
    """Functions and classes of a module, methods as Class.method."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{member.name}"
                for member in node.body
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


def test_page_names_the_whole_path() -> None:
    """The path has at least ten stops, from the SDK to the published event."""
    assert len(stops()) >= 10


@pytest.mark.parametrize(("path", "name"), stops())
def test_stop_is_where_the_page_says(path: str, name: str) -> None:
    """Every file on the page exists and defines what the page names."""
    file = ROOT / path

    assert file.is_file(), f"docs/event-path.md names {path}, which is gone"
    if name:
        assert name in names_in(file), f"docs/event-path.md names {path}::{name}, which moved"
