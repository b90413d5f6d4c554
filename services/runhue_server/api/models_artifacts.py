"""What answers about artifacts look like."""

from typing import Any, Literal

from pydantic import Field

from runhue_server.api.models_runs import Answer, Seconds


class ArtifactCollection(Answer):
    """A name under which versions are kept."""

    name: str = Field(examples=["mnist-train"])
    type: str = Field(examples=["dataset"])
    kind: Literal["sequence", "portfolio"] = Field(
        description="sequence: versions that runs logged; portfolio: versions that were linked to it"
    )
    description: str | None
    tags: list[str]
    versions: int = Field(description="how many there are")
    created_at: Seconds
    updated_at: Seconds


class ArtifactCollections(Answer):
    """A page of a project's collections, the newest first."""

    collections: list[ArtifactCollection]
    next: str | None = Field(description="`cursor` of the next page; null on the last")


class ArtifactSource(Answer):
    """The version under the name that it was logged to."""

    team: str
    project: str
    collection: str
    version: int
    run: str | None = Field(description="id of the run that logged it first")


class ArtifactVersion(Answer):
    """A version of a collection."""

    collection: str
    type: str
    version: int = Field(description="its number in the collection, from 0")
    aliases: list[str] = Field(examples=[["best", "latest"]])
    digest: str = Field(description="hex, over paths and digests of all files")
    size: int = Field(description="bytes of all files")
    file_count: int
    description: str | None
    metadata: Any = Field(description="JSON as it was logged; null when there is none")
    tags: list[str]
    ttl_seconds: int | None = Field(description="how long it is kept; null is for ever")
    source: ArtifactSource
    created_at: Seconds
    updated_at: Seconds


class ArtifactVersions(Answer):
    """A page of a collection's versions, the newest first, or of a run's, the oldest first."""

    versions: list[ArtifactVersion]
    next: str | None = Field(description="`cursor` of the next page; null on the last")


class ArtifactFile(Answer):
    """A file of a version: with its bytes here, or a reference to an address elsewhere."""

    path: str
    size: int = Field(description="bytes; of a reference what the client said")
    sha256: str | None = Field(description="64 hex digits; null for a reference")
    md5: str | None = Field(description="32 hex digits; null for a reference")
    mimetype: str
    reference: str | None = Field(description="where a file lies whose bytes are not here")
    url: str | None = Field(
        description="path on this server that reads these bytes without a key; good for a day or more"
    )


class ArtifactFiles(Answer):
    """A page of a version's files, in the code-point order of their paths."""

    files: list[ArtifactFile]
    next: str | None = Field(description="`after` of the next page; null on the last")
