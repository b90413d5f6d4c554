"""Which strings get a bucket of their own.

Source: docs/color.md S13.
"""

from collections.abc import Mapping
from dataclasses import dataclass

OTHER_LABEL = "Other"
EMPTY_LABEL = "(empty)"


@dataclass(frozen=True, slots=True)
class Categories:
    """The strings with their own bucket, in code point order, and whether a last bucket takes the rest."""

    values: tuple[str, ...]
    has_other: bool = False


def categories_of(counts: Mapping[str, int], buckets: int) -> Categories:
    """The categories of a population.

    Args:
        counts: runs per string. The `buckets + 1` most frequent ones (ties: smaller by code point) give the
            same answer as all of them.
        buckets: 2 to 8. With more strings than this, the `buckets - 1` most frequent keep a bucket.
    Source: docs/color.md S13.
    """
    if len(counts) <= buckets:
        return Categories(tuple(sorted(counts)))
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    return Categories(tuple(sorted(ranked[: buckets - 1])), has_other=True)


def category_label(value: str) -> str:
    """What the legend prints for a string; the empty one is a value like any other."""
    return value or EMPTY_LABEL
