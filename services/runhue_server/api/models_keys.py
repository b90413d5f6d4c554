"""What requests and answers about API keys look like."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from runhue_server.api.models_runs import Answer, Body, Name, Seconds, Storable

Scope = Literal["ingest", "read", "admin"]
KeyName = Annotated[str, StringConstraints(min_length=1, max_length=128), Storable]


class NewKey(Body):
    """A key to make."""

    name: KeyName = Field(examples=["ci"], description="what it is for, for people")
    scopes: list[Scope] = Field(min_length=1, examples=[["ingest", "read"]])
    project: Name | None = Field(default=None, description="the one project it is good for; the whole team's")
    expires_in_days: float | None = Field(default=None, gt=0, le=3650, description="never when not given")


class Rotation(Body):
    """How long the old key goes on."""

    overlap_hours: float = Field(default=24, ge=0, le=24 * 90)


class Key(Answer):
    """A key as its team sees it."""

    id: int
    name: str
    prefix: str = Field(description="its first characters, by which people tell keys apart")
    scopes: list[Scope]
    project: str | None
    created_at: Seconds
    expires_at: Seconds | None
    revoked_at: Seconds | None
    last_used_at: Seconds | None = Field(description="to the minute")
    replaced_by: int | None = Field(description="the key that took its place by rotation")


class Keys(Answer):
    """The team's keys, the newest first."""

    keys: list[Key]


class MadeKey(Answer):
    """A new key. It is shown here and never again."""

    key: str = Field(examples=["0123456789abcdef0123456789abcdef01234567"])
