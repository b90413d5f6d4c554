"""Forks: a new run that begins with its parent's rows up to a step."""

from runhue_server.gateway.context import Context
from runhue_server.gateway.run_config import BranchPoint
from runhue_shared.db.keys import Principal


def inherit(context: Context, sender: Principal, project: str, run_id: int, origin: BranchPoint) -> None:
    """Copy the parent's rows."""
