"""A run as the server has it, and what was changed of it here; common to both APIs."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from runhue._public_api.edited_values import EditedValues
from runhue._public_api.records import RunRecord, RunState
from runhue._public_api.run_calls import RunPath


class StoredRun:
    """Attributes of a run. Those with a setter are changed on the server by `update()`."""

    def __init__(self, record: RunRecord) -> None:
        self._take(record)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.team}/{self.project}/{self.id} ({self.state})>"

    @property
    def record(self) -> RunRecord:
        """The run as it was read."""
        return self._record

    @property
    def path(self) -> RunPath:
        return RunPath(self._record.team, self._record.project, self._record.id)

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def team(self) -> str:
        return self._record.team

    @property
    def project(self) -> str:
        return self._record.project

    @property
    def state(self) -> RunState:
        return self._record.state

    @property
    def exit_code(self) -> int | None:
        return self._record.exit_code

    @property
    def url(self) -> str:
        return self._record.url

    @property
    def created_at(self) -> datetime:
        return self._record.created_at

    @property
    def duration(self) -> float | None:
        """Seconds from start to finish, or to the last sign of life."""
        return self._record.duration

    @property
    def last_step(self) -> int | None:
        """Greatest step of a row, None before the first."""
        return self._record.last_step

    @property
    def metadata(self) -> dict[str, Any]:  # as the training process described its machine
        return self._record.metadata

    @property
    def name(self) -> str:
        return self._edited.name

    @name.setter
    def name(self, name: str) -> None:
        self._change("name", name)

    @property
    def notes(self) -> str | None:
        return self._edited.notes

    @notes.setter
    def notes(self, notes: str | None) -> None:
        self._change("notes", notes)

    @property
    def tags(self) -> tuple[str, ...]:
        return self._edited.tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._change("tags", tuple(tags))

    @property
    def group(self) -> str | None:
        return self._edited.group

    @group.setter
    def group(self, group: str | None) -> None:
        self._change("group", group)

    @property
    def job_type(self) -> str | None:
        return self._edited.job_type

    @job_type.setter
    def job_type(self, job_type: str | None) -> None:
        self._change("job_type", job_type)

    def changes(self) -> dict[str, Any]:  # JSON
        """Attributes and config as they were changed since they were read or sent."""
        changed = {name: getattr(self._edited, name) for name in sorted(self._changed)}
        return {**changed, **self.config.edits("config")}

    def changes_sent(self) -> None:
        """Forget what was changed: the server has it."""
        self._changed.clear()
        self.config.sent()

    def _take(self, record: RunRecord) -> None:
        self._record = self._edited = record
        self._changed: set[str] = set()
        self.config = EditedValues(record.config, lenient=True)

    def _change(self, name: str, value: object) -> None:
        self._edited = msgspec.structs.replace(self._edited, **{name: value})
        self._changed.add(name)
