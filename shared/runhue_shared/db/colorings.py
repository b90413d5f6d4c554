"""Reading colors: one version of a workspace, legend and runs in one statement (docs/color.md G1, G2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import sql

from runhue_shared.coloring.legend import Legend, legend_colors
from runhue_shared.coloring.palettes import ColorPair, run_colors
from runhue_shared.coloring.settings import ColorSettings
from runhue_shared.coloring.values import Reason, RunValue
from runhue_shared.db import Transaction
from runhue_shared.db.color_settings import WorkspaceUnknown
from runhue_shared.db.coloring_versions import place, settings_of_text
from runhue_shared.db.legends import MANY_VALUES, legend_of_body
from runhue_shared.db.scale_values import number_value


class VersionGone(LookupError):
    """The version asked for is no longer stored, or not made yet."""

    def __init__(self, version: int, current_version: int) -> None:
        super().__init__(f"version {version} is gone, the current one is {current_version}: start over")
        self.version = version
        self.current_version = current_version


class ColoringHead(NamedTuple):
    """Which version is in force."""

    workspace_id: int
    project_id: int
    scale_id: int
    version: int
    settings_rev: int

    @property
    def etag(self) -> str:
        """Equal for equal answers, in quotes."""
        return f'"{self.scale_id}.{self.version}.{self.settings_rev}"'


@dataclass(frozen=True, slots=True)
class ColoredRun:
    """A run in one version; `run_id` is public. Never a bucket and a reason."""

    run_id: str
    name: str
    value: RunValue | None
    bucket: int | None
    reason: Reason | None
    colors: ColorPair
    is_overridden: bool


@dataclass(frozen=True, slots=True)
class ColoringPage:
    """Some runs of one version, the newest first, with the legend they go by.

    `population` and `valued` count all runs that define the range. `pending`: runs that may have changed since,
    counted up to 10,000. `counts` has one entry a bucket, summing to `valued`; None on further pages;
    for huge scales as of `counts_as_of`. `next` is `after` of the next page.
    """

    head: ColoringHead
    settings: ColorSettings
    legend: Legend
    population: int
    valued: int
    pending: int
    counts: tuple[int, ...] | None
    counts_as_of: datetime | None
    runs: list[ColoredRun]
    next: int | None


def coloring_head(tx: Transaction, workspace_id: int) -> ColoringHead:
    """The version in force, from one row.

    Raises:
        WorkspaceUnknown: there is no such workspace.
    """
    raise NotImplementedError


def read_coloring(
    tx: Transaction,
    workspace_id: int,
    version: int | None = None,
    after: int | None = None,
    limit: int = 1_000,
    run_ids: Sequence[str] | None = None,
) -> ColoringPage:
    """One page of a version, read in one statement, so that legend and values belong together.

    Args:
        version: None for the one in force; pass the first page's for all further pages.
        after: `next` of the page before.
        run_ids: only these runs (public ids), whatever `after` and `limit` are; a run outside the
            population has the reason `not_in_population`.
    Raises:
        WorkspaceUnknown: there is no such workspace.
        VersionGone: the version is no longer stored.
    """
    raise NotImplementedError
