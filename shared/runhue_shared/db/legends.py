"""Legends: built of the ends, ranks and categories of a scale, stored by the hash of their content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from runhue_shared.coloring.buckets import Domain, QuantileCut, numeric_scale, quantile_ranks
from runhue_shared.coloring.categories import categories_of
from runhue_shared.coloring.legend import (
    Legend,
    boolean_legend,
    categorical_legend,
    empty_legend,
    numeric_legend,
    pin_holds,
    repainted,
)
from runhue_shared.coloring.settings import MAX_BUCKETS, ColorSettings, KeyType
from runhue_shared.coloring.stability import stable_domain
from runhue_shared.db import Transaction
from runhue_shared.db.scales import Scale

QUANTILE_SECONDS = 10.0
MANY_VALUES = 100_000
"""From so many values on, quantiles and counts per bucket are taken at most every `QUANTILE_SECONDS`."""


@dataclass(frozen=True, slots=True)
class Previous:
    """The legend in force over the same buckets, and what it was built of; `cut_age` is in seconds.

    `is_repainted`: the settings changed since, in nothing but colors, stability or overrides.
    """

    legend: Legend
    domain: Domain | None = None
    cut_age: float | None = None
    is_repainted: bool = False

    @property
    def is_just_cut(self) -> bool:
        """Whether its quantiles were taken lately."""
        return self.cut_age is not None and 0 <= self.cut_age < QUANTILE_SECONDS

    def answers(self, key_type: KeyType) -> bool:
        """Whether it may stay as it is for values of this type."""
        return self.legend.type == key_type and not self.is_repainted


class Built(NamedTuple):
    """`domain` is what the legend was built of; `is_late`: quantiles are older than the values.

    `not_positive` counts the runs whose number has no place on a log scale.
    """

    legend: Legend
    domain: Domain | None = None
    is_cut: bool = False
    is_late: bool = False
    not_positive: int = 0


class Ends(NamedTuple):
    """What the values of a scale's counted runs span; strings with their runs, the most frequent ones."""

    low: float | None = None
    high: float | None = None
    lowest_positive: float | None = None
    strings: Mapping[str, int] = MappingProxyType({})

    def domain(self, settings: ColorSettings) -> Domain | None:
        """Least and greatest value that the settings lay buckets over; None without any."""
        low = self.lowest_positive if settings.scale == "log" else self.low
        return None if low is None or self.high is None else Domain(low, self.high)


def read_ends(tx: Transaction, scales: Sequence[Scale]) -> dict[int, Ends]:
    """The ends of each scale: looks at the ends of an index, whatever the number of values."""
    numbers = [scale.id for scale in scales if scale.resolved_type == "number"]
    strings = [scale.id for scale in scales if scale.resolved_type == "string"]
    ends = {scale.id: Ends() for scale in scales}
    if numbers:
        ends |= {scale_id: Ends(*found) for scale_id, *found in tx.execute(_ENDS, (numbers,), prepare=True)}
    if strings:
        for scale_id, value, runs in tx.execute(_FREQUENT, (strings, MAX_BUCKETS + 1), prepare=True):
            ends[scale_id] = Ends(strings={**ends[scale_id].strings, value: runs})
    return ends


_ENDS = (
    "SELECT s.id, (SELECT number FROM scale_value WHERE scale_id = s.id AND number IS NOT NULL AND counted"
    "  ORDER BY number LIMIT 1),"
    " (SELECT number FROM scale_value WHERE scale_id = s.id AND number IS NOT NULL AND counted"
    "  ORDER BY number DESC LIMIT 1),"
    " (SELECT number FROM scale_value WHERE scale_id = s.id AND number IS NOT NULL AND number > 0"
    "  AND counted ORDER BY number LIMIT 1)"
    " FROM unnest(%s::bigint[]) AS s (id)"
)
_FREQUENT = (
    "SELECT s.id, c.value, c.runs FROM unnest(%s::bigint[]) AS s (id) CROSS JOIN LATERAL"
    " (SELECT value, runs FROM scale_category WHERE scale_id = s.id AND runs > 0"
    " ORDER BY runs DESC, value LIMIT %s) c"
)


def build_legend(
    tx: Transaction, scale: Scale, ends: Ends, settings: ColorSettings, previous: Previous | None = None
) -> Built:
    """The legend of a scale as its values are now. Source: docs/color.md S12 to S14, "Stability"."""
    if scale.resolved_type == "number":
        built = _numeric(tx, scale, ends, settings, previous)
        if settings.scale == "log" and ends.low is not None and ends.low <= 0:
            return built._replace(not_positive=_count_not_positive(tx, scale.id))
        return built
    if scale.resolved_type == "string":
        return Built(categorical_legend(settings, categories_of(ends.strings, settings.buckets)))
    if scale.resolved_type == "bool" and scale.valued:
        return Built(boolean_legend(settings))
    return Built(empty_legend(settings, scale.resolved_type))


def _numeric(
    tx: Transaction, scale: Scale, ends: Ends, settings: ColorSettings, previous: Previous | None
) -> Built:
    if settings.stability == "pinned" and previous and pin_holds(previous.legend, settings):
        return Built(repainted(previous.legend, settings))
    domain = ends.domain(settings)
    if settings.stability == "stable" and domain is not None:
        kept = previous.domain if previous else None
        domain = stable_domain(kept, domain, _any_live(tx, scale), settings.scale)
    if settings.scale == "quantile":
        return _quantile(tx, scale, settings, domain, previous)
    if previous and previous.answers("number") and previous.domain == domain:
        return Built(previous.legend, domain)
    return Built(numeric_legend(settings, numeric_scale(domain, settings)), domain)


def _quantile(
    tx: Transaction, scale: Scale, settings: ColorSettings, domain: Domain | None, previous: Previous | None
) -> Built:
    if previous and previous.answers("number") and scale.valued >= MANY_VALUES and previous.is_just_cut:
        return Built(previous.legend, previous.domain, is_late=True)
    cuts = _quantile_cuts(tx, scale.id, quantile_ranks(scale.valued, settings.buckets))
    return Built(numeric_legend(settings, numeric_scale(domain, settings, cuts)), domain, is_cut=True)


def _any_live(tx: Transaction, scale: Scale) -> bool:
    rows = tx.execute(
        "SELECT EXISTS (SELECT 1 FROM run r JOIN scale_value v ON v.scale_id = %s AND v.run_id = r.id"
        " WHERE r.project_id = %s AND r.state = 'running' AND r.deleted_at IS NULL AND v.counted)",
        (scale.id, scale.project_id),
        prepare=True,
    )
    return bool(rows.fetchall()[0][0])


def _quantile_cuts(tx: Transaction, scale_id: int, ranks: Sequence[int]) -> list[QuantileCut]:
    """A pass over the numbers in order, then a look at the index for each rank."""
    rows = tx.execute(
        "SELECT c.number, (SELECT n.number FROM scale_value n WHERE n.scale_id = %(scale)s"
        "  AND n.number > c.number AND n.number IS NOT NULL AND n.counted ORDER BY n.number LIMIT 1)"
        " FROM unnest(%(ranks)s::bigint[]) WITH ORDINALITY AS k (rank, place) JOIN"
        " (SELECT number, row_number() OVER (ORDER BY number) AS rank FROM scale_value"
        "  WHERE scale_id = %(scale)s AND number IS NOT NULL AND counted) c ON c.rank = k.rank"
        " ORDER BY k.place",
        {"scale": scale_id, "ranks": list(ranks)},
    )
    return [QuantileCut(closing, following) for closing, following in rows]


def _count_not_positive(tx: Transaction, scale_id: int) -> int:
    rows = tx.execute(
        "SELECT count(*) FROM scale_value WHERE scale_id = %s AND number <= 0 AND number IS NOT NULL"
        " AND counted",
        (scale_id,),
    )
    return int(rows.fetchall()[0][0])


def save_legend(tx: Transaction, team_id: int, legend: Legend) -> None:
    """Store a legend, or note that it is used again."""
    categories = [bucket.category for bucket in legend.buckets if isinstance(bucket.category, str)]
    tx.execute(
        "INSERT INTO legend (team_id, legend_id, body, kind, positive, thresholds, categories)"
        " VALUES (%s, %s, %s, %s, %s, %s::float8[], %s::text[])"
        " ON CONFLICT (team_id, legend_id) DO UPDATE SET used_at = now()",
        (
            team_id,
            legend.legend_id,
            msgspec.json.encode(legend).decode(),
            legend.kind,
            legend.scale == "log" and legend.type == "number",
            list(legend.thresholds),
            categories,
        ),
    )


def read_legend(tx: Transaction, team_id: int, legend_id: str) -> Legend | None:
    """A team's legend by its id; None when there is none or it is no longer stored."""
    rows = tx.execute("SELECT body FROM legend WHERE team_id = %s AND legend_id = %s", (team_id, legend_id))
    row = rows.fetchone()
    return None if row is None else legend_of_body(row[0])


@lru_cache(maxsize=1024)
def legend_of_body(body: str) -> Legend:
    """The legend whose stored text this is."""
    return msgspec.json.decode(body, type=Legend)
