"""What requests and answers about a project's settings look like."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from runhue_server.api.models_runs import Answer
from runhue_shared.db.project_settings import LONGEST_RETENTION_DAYS

_RETENTION = "days for which media are kept after their run's end; null: for ever"
_NETWORK = "whether HTML that runs log may load from other servers"


class ProjectSettings(Answer):
    """How a project treats what its runs log."""

    media_retention_days: int | None = Field(description=_RETENTION)
    html_network: bool = Field(description=_NETWORK)


class ProjectSettingsChange(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    media_retention_days: Annotated[int, Field(strict=True, ge=1, le=LONGEST_RETENTION_DAYS)] | None = Field(
        default=None, description=_RETENTION
    )
    html_network: Annotated[bool, Field(strict=True)] = Field(default=False, description=_NETWORK)
