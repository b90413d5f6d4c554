"""Runs that are asked for side by side."""

from typing import Annotated

from fastapi import Query

from runhue_server.api.parameters import MAX_LIST, names_in
from runhue_server.api.resources import RunNotFound
from runhue_server.web.problems import Invalid
from runhue_shared.db import Transaction, runs
from runhue_shared.db.history import MAX_STEP

MAX_RUNS = 50

RunNames = Annotated[
    str,
    Query(
        alias="runs",
        description=f"1 to {MAX_RUNS} ids of runs, in the order in which they are shown; comma-separated",
        max_length=MAX_LIST,
        examples=["x7k2m9qd,p3n8w1zc"],
    ),
]
Key = Annotated[
    str, Query(min_length=1, max_length=1_000, description="what it was logged under", examples=["samples"])
]
FirstStep = Annotated[int, Query(alias="from_step", ge=-MAX_STEP, le=MAX_STEP, description="first step")]
LastStep = Annotated[
    int, Query(alias="to_step", ge=-MAX_STEP, le=MAX_STEP, description="last step, included")
]


def runs_named(tx: Transaction, project_id: int, text: str) -> dict[str, int]:
    """The runs in a list of ids, in its order: internal ids by id.

    Raises:
        Invalid: no id, or more than `MAX_RUNS`.
        RunNotFound: one is not there; names it.
    """
    names = names_in(text, "runs", MAX_RUNS)
    if names is None:
        raise Invalid("runs: no run", field="runs", fix="name at least one run")
    found = runs.run_ids_named(tx, project_id, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise RunNotFound(f"no run {missing[0]!r} in the project", field="runs", fix="leave it out")
    return {name: found[name] for name in names}
