"""What answers about the gateway look like."""

from typing import Literal

from pydantic import Field

from runhue_server.api.models_runs import Answer, Seconds


class Unknown(Answer):
    """Something that was asked for and left out of the answer, with how often."""

    operation: str = Field(
        description="name of the GraphQL operation, or empty", examples=["GetLaunchAgents"]
    )
    kind: Literal["operation", "field", "argument", "type", "input", "path"]
    name: str = Field(examples=["Query.launchAgents"])
    client: str = Field(description="program and version", examples=["wandb-core"])
    count: int
    first_at: Seconds
    last_at: Seconds


class Unknowns(Answer):
    """The most often asked first."""

    unknown: list[Unknown]
