"""What requests and answers about uploads in parts look like."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from runhue_server.api.models_runs import Answer


class NewUpload(BaseModel):
    """A file that is about to come in parts."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(description="the file's path in the run", examples=["checkpoints/last.pt"])
    size: Annotated[int, Field(ge=0, lt=2**63, description="of the whole file, in bytes")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(
        default=None,
        description="of the whole file, in hex: checked at the end, and by it an upload is found again",
    )
    mimetype: str | None = Field(default=None, description="without it the path tells the type")


class FileUpload(Answer):
    """How far an upload in parts is."""

    id: str
    path: str
    size: int
    part_bytes: int = Field(description="length of every part but the last")
    parts: int = Field(description="how many there are, numbered from 1")
    missing: list[int] = Field(description="numbers of those that have not come")
    stored: bool = Field(description="whether the run has the file; no part is needed then")


class PartStored(Answer):
    """A part that is durable."""

    number: int
    size: int
    md5: str = Field(description="in hex, computed of the bytes that came")


class UploadGivenUp(Answer):
    """False when there was none."""

    deleted: bool
