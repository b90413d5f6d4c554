"""One value for all runs of a group: the exact mean of its members.

Source: docs/color.md "Per group".
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from runhue_shared.coloring.exact import decimal_value, smallest_double_at_least

Group = TypeVar("Group", bound=Hashable)


def group_value(total: Fraction | Decimal, count: int) -> float:
    """The double that stands for the mean of `count` members whose exact values D(v) add up to `total`.

    It is rounded like a threshold, to the smallest double not below the mean, so a mean that lies exactly on
    a boundary is in the upper bucket as any other value is. A running total kept as an exact decimal does
    not depend on the order of updates.
    """
    return smallest_double_at_least(Fraction(total) / count)


def group_values(values: Mapping[str, float], groups: Mapping[str, Group]) -> dict[Group, float]:
    """Value per group over the runs that have one; groups whose members all lack a value are absent.

    Args:
        values: finite value per run.
        groups: group per run; runs without a group take no part.
    """
    members: defaultdict[Group, list[Fraction]] = defaultdict(list)
    for run, value in values.items():
        if run in groups:
            members[groups[run]].append(decimal_value(value))
    return {group: group_value(sum(parts, Fraction()), len(parts)) for group, parts in members.items()}
