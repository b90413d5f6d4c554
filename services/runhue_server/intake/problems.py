"""Why ingest refuses a request. Codes and statuses are the contract of docs/api.md."""

from typing import Any

from runhue_server.web.problems import Problem

BUSY_SECONDS = 2


class SequenceGap(Problem):
    """The batch does not start where the writer's durable records end; `expected_seq` says where that is."""

    status = 409
    code = "sequence_gap"

    def __init__(self, seq_lo: int, expected_seq: int) -> None:
        super().__init__(
            f"seq_lo is {seq_lo}, the first record that is not durable yet is {expected_seq}",
            field="seq_lo",
            fix="cut the batch anew from expected_seq on",
            expected_seq=expected_seq,
        )


class BodyTooLarge(Problem):
    """The body, or what it says it unpacks to, is over the limit."""

    status = 413
    code = "body_too_large"


class BodyTooSlow(Problem):
    """The body did not arrive in time."""

    status = 408
    code = "body_timeout"


class ClientGone(Problem):
    """The client hung up in the middle of its body; the answer reaches nobody."""

    code = "client_gone"


class CrcMismatch(Problem):
    """The body arrived other than it was sent."""

    status = 422
    code = "crc_mismatch"


class Malformed(Problem):
    """A header, a parameter or the body is not what the contract says."""

    status = 422
    code = "malformed"


class InboxFull(Problem):
    """Batches come faster than they are folded; nothing of this one was kept."""

    status = 429
    code = "inbox_full"

    def __init__(self, detail: str, limit: int) -> None:
        super().__init__(detail, limit=limit, fix="send the same batch again later", retry_after=BUSY_SECONDS)


class TeamNotFound(Problem):
    """The key belongs to another team than the one named."""

    status = 404
    code = "team_not_found"


class ProjectForbidden(Problem):
    """The key is good for another project only."""

    status = 403
    code = "project_forbidden"


class WriterNotFound(Problem):
    """The key's team has no such writer."""

    status = 404
    code = "writer_not_found"

    def __init__(self, writer_id: Any) -> None:  # shown as it came
        super().__init__(f"there is no writer {writer_id}", fix="start the writer: POST /ingest/v1/runs")


class RunNotFound(Problem):
    """The run to resume is not there."""

    status = 404
    code = "run_not_found"


class RunExists(Problem):
    """The run is there, and the writer wants it new."""

    status = 409
    code = "run_exists"


class RunDeleted(Problem):
    """Someone deleted the run; its id stays taken."""

    status = 410
    code = "run_deleted"

    def __init__(self) -> None:
        super().__init__("the run was deleted", fix="stop sending, or start a run with another id")


def malformed_number(field: str, value: str, last: int) -> Malformed:
    """`field` should have been a whole number from 0 to `last`."""
    return Malformed(
        f"{field} must be a whole number from 0 to {last}, got {value[:40]!r}",
        field=field,
        limit=last,
        fix=f"send {field} in decimal digits",
    )
