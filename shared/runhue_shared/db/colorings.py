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
from runhue_shared.db.colors import mark_legends
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

    `population` and `valued` count all runs that define the range; `pending` those that may have changed
    since, up to 10,000. `counts` has one entry a bucket, summing to `valued`; for huge scales they are as of
    `counts_as_of`, if there are any yet; further pages have none. `next` is `after` of the next page.
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


# The bucket rule for every kind of legend; NULL for a run without a bucket (docs/color.md S3, S11 to S13).
BUCKET = sql.SQL(
    """
    CASE
        WHEN h.kind IN ('numeric', 'single') AND NOT (h.positive AND x.number <= 0)
            THEN width_bucket(x.number, h.thresholds) + 1
        WHEN h.kind = 'boolean' THEN x.number::int + 1
        WHEN h.kind = 'categorical' AND x.string IS NOT NULL
            THEN coalesce(array_position(h.categories, x.string), cardinality(h.categories) + 1)
    END
    """
)
_HEAD = """
    head AS MATERIALIZED (
        SELECT 'head' AS part, c.workspace_id, s.project_id, v.scale_id, v.version, v.settings_rev,
            v.scale_version, v.population, v.valued, t.settings, l.body, l.kind, l.positive, l.thresholds,
            l.categories, c.bucket_counts, c.counts_as_of
        FROM workspace_coloring c
        JOIN workspace_coloring_version v
            ON v.workspace_id = c.workspace_id AND v.version = coalesce(%(version)s, c.version)
        JOIN scale s ON s.id = v.scale_id
        JOIN color_settings t ON t.workspace_id = v.workspace_id AND t.settings_rev = v.settings_rev
        JOIN legend l ON l.team_id = v.team_id AND l.legend_id = v.legend_id
        WHERE c.workspace_id = %(workspace_id)s
    )"""
# The runs of a version are those still as they were then, and those replaced since.
_PAGE = """
    page AS (
        SELECT 'run' AS part, x.run_id, r.public_id, r.name, x.number, x.string, x.reason
        FROM head h CROSS JOIN LATERAL (
            (SELECT run_id, number, string, reason FROM scale_value
            WHERE scale_id = h.scale_id AND v_from <= h.scale_version AND run_id < %(after)s
            ORDER BY run_id DESC LIMIT %(limit)s)
            UNION ALL
            (SELECT run_id, number, string, reason FROM scale_value_old
            WHERE scale_id = h.scale_id AND v_to > h.scale_version AND v_from <= h.scale_version
                AND run_id < %(after)s
            ORDER BY run_id DESC LIMIT %(limit)s)
            ORDER BY run_id DESC LIMIT %(limit)s
        ) x JOIN run r ON r.id = x.run_id
    )"""
_CHOSEN = """
    page AS (
        SELECT 'run' AS part, r.id AS run_id, r.public_id, r.name, x.number, x.string,
            CASE WHEN x.run_id IS NULL THEN 'not_in_population' ELSE x.reason END AS reason
        FROM head h JOIN run r ON r.project_id = h.project_id AND r.public_id = ANY(%(run_ids)s)
        LEFT JOIN LATERAL (
            SELECT run_id, number, string, reason FROM scale_value
            WHERE scale_id = h.scale_id AND v_from <= h.scale_version AND run_id = r.id
            UNION ALL
            SELECT run_id, number, string, reason FROM scale_value_old
            WHERE scale_id = h.scale_id AND v_to > h.scale_version AND v_from <= h.scale_version
                AND run_id = r.id
        ) x ON true
    )"""
_COUNTS = """
    counts AS (
        SELECT array_agg(bucket ORDER BY bucket) AS buckets, array_agg(n ORDER BY bucket) AS runs FROM (
            SELECT {bucket} AS bucket, count(*) AS n
            FROM head h CROSS JOIN LATERAL (
                SELECT number, string FROM scale_value
                WHERE scale_id = h.scale_id AND v_from <= h.scale_version AND counted
                UNION ALL
                SELECT number, string FROM scale_value_old
                WHERE scale_id = h.scale_id AND v_to > h.scale_version AND v_from <= h.scale_version
                    AND counted
            ) x WHERE %(count)s AND h.valued < %(many)s GROUP BY 1
        ) c WHERE bucket IS NOT NULL
    )"""
# Head and runs share no `part`, so the full join lists the one and then the others.
_READ = """
    WITH {head}, {page}, {counts}
    SELECT p.run_id, p.public_id, p.name, p.number, p.string, p.reason, h.workspace_id, h.project_id,
        h.scale_id, h.version, h.settings_rev, h.population, h.valued, h.settings, h.body,
        CASE WHEN %(count)s THEN h.bucket_counts END, h.counts_as_of,
        CASE WHEN %(count)s AND h.valued < %(many)s THEN coalesce(n.buckets, '{{}}') END,
        coalesce(n.runs, '{{}}'),
        CASE WHEN h.scale_id IS NOT NULL THEN (SELECT count(DISTINCT run_id) FROM (SELECT run_id
            FROM scale_dirty WHERE scale_id = h.scale_id AND run_id IS NOT NULL LIMIT %(pending)s) d) END
    FROM head h FULL JOIN page p ON p.part = h.part LEFT JOIN counts n ON h.part = 'head'
    ORDER BY h.part, p.run_id DESC"""
_COUNTS_SQL = sql.SQL(_COUNTS).format(bucket=BUCKET)
_READ_PAGE = sql.SQL(_READ).format(head=sql.SQL(_HEAD), page=sql.SQL(_PAGE), counts=_COUNTS_SQL)
_READ_CHOSEN = sql.SQL(_READ).format(head=sql.SQL(_HEAD), page=sql.SQL(_CHOSEN), counts=_COUNTS_SQL)

_LAST_RUN = 2**63 - 1
MOST_PENDING = 10_000
COUNT_SECONDS = 10.0


_COUNT_BUCKETS = sql.SQL(
    """
    SELECT array_agg(n ORDER BY bucket), array_agg(bucket ORDER BY bucket) FROM (
        SELECT {bucket} AS bucket, count(*) AS n FROM legend h CROSS JOIN scale_value x
        WHERE h.team_id = %(team_id)s AND h.legend_id = %(legend_id)s
            AND x.scale_id = %(scale_id)s AND x.counted GROUP BY 1
    ) c WHERE bucket IS NOT NULL
    """
).format(bucket=BUCKET)


def count_buckets(tx: Transaction, scale_ids: Sequence[int]) -> None:
    """Count the buckets of huge scales, at most every 10 s; what is too soon is marked for later."""
    rows = tx.execute(
        "SELECT c.workspace_id, c.team_id, c.scale_id, c.legend_id, c.version, l.body,"
        " extract(epoch FROM clock_timestamp() - c.counts_as_of)::float8 FROM workspace_coloring c"
        " JOIN scale s ON s.id = c.scale_id JOIN legend l"
        " ON l.team_id = c.team_id AND l.legend_id = c.legend_id"
        " WHERE c.scale_id = ANY(%s) AND s.valued >= %s AND c.counts_version IS DISTINCT FROM c.version"
        " ORDER BY c.workspace_id",
        (list(scale_ids), MANY_VALUES),
    )
    for workspace_id, team_id, scale_id, legend_id, version, body, age in rows.fetchall():
        if age is not None and 0 <= age < COUNT_SECONDS:
            mark_legends(tx, scale_id, team_id, COUNT_SECONDS - age)
            continue
        params = {"team_id": team_id, "legend_id": legend_id, "scale_id": scale_id}
        ((runs, buckets),) = tx.execute(_COUNT_BUCKETS, params)
        counts = dict(zip(buckets or (), runs or (), strict=True))
        tx.execute(
            "UPDATE workspace_coloring SET bucket_counts = %s, counts_version = %s,"
            " counts_as_of = clock_timestamp() WHERE workspace_id = %s",
            ([counts.get(bucket.index, 0) for bucket in legend_of_body(body).buckets], version, workspace_id),
        )


def coloring_head(tx: Transaction, workspace_id: int) -> ColoringHead:
    """The version in force, from one row.

    Raises:
        WorkspaceUnknown: there is no such workspace.
    """
    row = tx.execute(
        "SELECT c.workspace_id, w.project_id, c.scale_id, c.version, c.settings_rev"
        " FROM workspace_coloring c JOIN workspace w ON w.id = c.workspace_id WHERE c.workspace_id = %s",
        (workspace_id,),
    ).fetchone()
    if row is None:
        raise WorkspaceUnknown(workspace_id)
    return ColoringHead(*row)


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
    params = {
        "workspace_id": workspace_id,
        "version": version,
        "after": _LAST_RUN if after is None else after,
        "limit": limit + 1,
        "run_ids": list(run_ids or ()),
        "count": after is None,
        "many": MANY_VALUES,
        "pending": MOST_PENDING,
    }
    rows = tx.execute(_READ_PAGE if run_ids is None else _READ_CHOSEN, params, prepare=True).fetchall()
    if not rows:
        raise VersionGone(version or 0, coloring_head(tx, workspace_id).version)
    return _page(rows[0][6:], [row[:6] for row in rows[1:]], None if run_ids is not None else limit)


def _page(head: tuple[Any, ...], rows: list[tuple[Any, ...]], limit: int | None) -> ColoringPage:
    # Any: columns of several types
    workspace_id, project_id, scale_id, version, settings_rev, population, valued, text, body, *counted = head
    settings, legend = settings_of_text(text), legend_of_body(body)
    has_more = limit is not None and len(rows) > limit
    counts, as_of = _counts(legend, *counted[:4])
    return ColoringPage(
        head=ColoringHead(workspace_id, project_id, scale_id, version, settings_rev),
        settings=settings,
        legend=legend,
        population=population,
        valued=valued,
        pending=counted[4],
        counts=counts,
        counts_as_of=as_of,
        runs=[_colored(row, legend, settings) for row in rows[:limit]],
        next=rows[limit - 1][0] if has_more and limit is not None else None,
    )


def _counts(
    legend: Legend,
    lazily: list[int] | None,
    as_of: datetime | None,
    buckets: list[int] | None,
    runs: list[int] | None,
) -> tuple[tuple[int, ...] | None, datetime | None]:
    """Counts of this very version, else those taken last, if they are of as many buckets."""
    if buckets is not None and runs is not None:
        exact = dict(zip(buckets, runs, strict=True))
        return tuple(exact.get(bucket.index, 0) for bucket in legend.buckets), None
    if lazily is not None and len(lazily) == len(legend.buckets):
        return tuple(lazily), as_of
    return None, None


def _colored(row: tuple[Any, ...], legend: Legend, settings: ColorSettings) -> ColoredRun:
    # Any: columns of several types
    _, public_id, name, number, string, reason = row
    value = string if number is None else number_value(number, legend.type)
    placed = place(legend, value, reason)
    colors = run_colors(public_id) if legend.key is None else legend_colors(legend, placed.bucket)
    override = settings.overrides.get(public_id)
    if override is not None:
        colors = ColorPair(override, override)
    return ColoredRun(
        public_id, name, placed.value, placed.bucket, placed.reason, colors, override is not None
    )
