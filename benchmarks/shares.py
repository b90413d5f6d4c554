"""Where the wall time of a piece of code goes, by the functions it calls."""

import cProfile
import pstats
from collections.abc import Callable, Iterable, Mapping


def shares(actions: Iterable[Callable[[], object]], names: Mapping[str, str]) -> str:
    """Run and profile actions one by one; percent of their wall time inside functions (name -> what it does).

    A function counts with all it calls, so names must not call each other. Whatever the iterable does
    between two actions is not counted.
    """
    profile = cProfile.Profile()
    for action in actions:
        profile.enable()
        action()
        profile.disable()
    stats = pstats.Stats(profile)
    spent = dict.fromkeys(names, 0.0)
    for (_, _, name), (_, _, _, cumulative, _) in stats.stats.items():  # type: ignore[attr-defined]  # not in typeshed
        if name in spent:
            spent[name] += cumulative
    total = stats.total_tt  # type: ignore[attr-defined]  # not in typeshed
    parts = sorted(((seconds / total, names[name]) for name, seconds in spent.items()), reverse=True)
    rest = 1 - sum(part for part, _ in parts)
    return ", ".join(f"{what} {part:.0%}" for part, what in [*parts, (rest, "the rest")] if part >= 0.01)
