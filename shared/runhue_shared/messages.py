"""What crosses the queue: every message, its queue, and who sends it to whom.

Messages wake workers and carry no log data: Postgres holds the truth, and a lost
message costs latency only, because the sweeper sends it again (docs/adr/0001).
"""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A wake-up. `task` is its unique name and `queue` the workers that take it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: ClassVar[str]
    queue: ClassVar[str]

    @property
    def wake_key(self) -> str:
        """Equal for messages of which one is enough in the queue."""
        return self.task


class LogBatchStored(Message):
    """ingest, sweeper -> aggregation: partition `part` of the inbox has batches to fold."""

    task = "aggregation.log_batch_stored"
    queue = "aggregation"

    part: int

    @property
    def wake_key(self) -> str:
        return f"{self.task}:{self.part}"


class RunTailGrown(Message):
    """aggregation, sweeper -> aggregation: runs of partition `part` have tails worth compacting."""

    task = "aggregation.run_tail_grown"
    queue = "aggregation"

    part: int

    @property
    def wake_key(self) -> str:
        return f"{self.task}:{self.part}"


class ScalesDirty(Message):
    """aggregation, api, sweeper -> coloring: some scale has runs whose value may have changed."""

    task = "coloring.scales_dirty"
    queue = "coloring"


class OutboxFilled(Message):
    """aggregation, api, sweeper -> coloring: committed events wait in the outbox to be published."""

    task = "coloring.outbox_filled"
    queue = "coloring"


class MediaStored(Message):
    """ingest, gateway, api, sweeper -> media: stored bytes wait to be inspected."""

    task = "media.media_stored"
    queue = "media"
