"""Rules of CONTRIBUTING.md that no off-the-shelf linter knows, each with a planted violation."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("sdk/runhue", "shared/runhue_shared", "services/runhue_server")
SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|WITH\s+\w+\s+AS)\b", re.DOTALL
)
VAGUE = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def sql_in(source: str) -> list[str]:
    """String constants that are SQL statements."""
    return [text for text in strings(ast.parse(source)) if SQL.match(text)]


def commits_in(source: str) -> list[int]:
    """Lines that call .commit()."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    ]


def test_sql_stands_in_the_database_modules_only() -> None:
    """No module outside runhue_shared/db holds a SQL statement."""
    outside = [path for path in modules() if "runhue_shared/db" not in path.as_posix()]

    found = {path.relative_to(ROOT).as_posix(): sql_in(path.read_text(encoding="utf-8")) for path in outside}

    assert {path: sql for path, sql in found.items() if sql} == {}


def imported_by(source: str) -> set[str]:
    """Top-level names of the modules that a script imports."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    origins = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | origins}


def test_examples_import_what_our_extras_bring() -> None:
    """No example needs a package that only somebody's own environment has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = chain(project["dependencies"], *project["optional-dependencies"].values())
    brought = {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in declared}
    sources = packages_distributions()
    examples = list((ROOT / "examples").rglob("*.py"))
    ours = {"runhue", *(path.stem for path in examples)}

    needed = {
        name
        for path in examples
        for name in imported_by(path.read_text(encoding="utf-8")) - sys.stdlib_module_names - ours
    }

    assert {name for name in needed if not brought & {one.lower() for one in sources.get(name, ())}} == set()


def test_planted_sql_is_found() -> None:
    """The rule sees a statement where there is one."""
    assert sql_in('tx.execute("SELECT id FROM run")')


def test_only_transaction_commits() -> None:
    """Nothing calls .commit(): leaving `db.transaction()` does."""
    found = {
        path.relative_to(ROOT).as_posix(): commits_in(path.read_text(encoding="utf-8")) for path in modules()
    }

    assert {path: lines for path, lines in found.items() if lines} == {}


def test_planted_commit_is_found() -> None:
    """The rule sees a commit where there is one."""
    assert commits_in("tx.commit()") == [1]


def test_names_say_what_is_inside() -> None:
    """No module is called utils, helpers, manager or misc."""
    assert [path for path in modules() if VAGUE & set(re.split(r"[_.]", path.stem))] == []


@pytest.mark.parametrize("extra", [None, "media", "plot", "server", "local"])
def test_every_dependency_says_why_it_is_there(extra: str | None) -> None:
    """docs/dependencies.md names each runtime dependency of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    page = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")

    names = [re.split(r"[\[><=;~ ]", requirement)[0] for requirement in wanted]

    assert [name for name in names if name != "runhue" and name not in page] == []
