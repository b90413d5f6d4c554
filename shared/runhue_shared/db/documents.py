"""A run's documents: config, manual summary, attributes. The edit with the greatest ord wins, key by key."""

from collections.abc import Mapping, Sequence
from typing import Any

from runhue_shared.db import Transaction


def summary_of_run(tx: Transaction, run_id: int) -> dict[str, Any]:
    """Logged latest values, what `define_metric` adds (`acc.max`), and manual values over both."""
    raise NotImplementedError


def edit_config(tx: Transaction, run_id: int, values: Mapping[str, Any], removed: Sequence[str] = ()) -> None:
    """Set and remove top-level config keys, later than every edit so far.

    Raises:
        EditRefused: the config would be larger or nested deeper than allowed.
    """
    raise NotImplementedError


def edit_summary(
    tx: Transaction, run_id: int, values: Mapping[str, Any], removed: Sequence[str] = ()
) -> None:
    """Set and remove manual summary values, later than every edit so far.

    Raises:
        EditRefused: a value is nested deeper than allowed.
    """
    raise NotImplementedError


def edit_attributes(tx: Transaction, run_id: int, changes: Mapping[str, Any]) -> None:
    """Change any of name, notes, tags, group, job_type, metadata, later than every edit so far."""
    raise NotImplementedError
