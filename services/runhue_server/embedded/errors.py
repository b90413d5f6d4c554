"""What can stop a stack from starting, each named for its condition."""

from pathlib import Path


class StackError(RuntimeError):
    """The stack cannot start or go on; the message says why and what to do."""


class DataDirectoryLockedError(StackError):
    """Another process already runs a stack on this data directory."""

    def __init__(self, data_dir: Path, holder: str) -> None:
        super().__init__(
            f"data directory {data_dir} is in use by {holder}: "
            "stop that process, or give another directory with --data-dir"
        )


class WrongMajorError(StackError):
    """The data was written by a Postgres major for which no program is here."""

    def __init__(self, directory: Path, written_by: int, found: str) -> None:
        super().__init__(
            f"the database in {directory} was written by Postgres {written_by}, but only {found} is here: "
            f"put Postgres {written_by} on PATH, or dump it with pg_dump and load it into a new --data-dir"
        )


class ServerNotFoundError(StackError):
    """Neither a wheel nor PATH has the server program, and no address was given."""


class EvictionPolicyError(StackError):
    """The given Redis may drop keys under memory pressure, which loses wake-ups."""


class StartFailedError(StackError):
    """A process did not become ready in time, or fails at each start."""
