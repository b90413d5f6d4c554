"""What answers about files of runs look like."""

from pydantic import Field

from runhue_server.api.models_runs import Answer, Seconds


class File(Answer):
    """A file of a run."""

    path: str = Field(examples=["media/images/sample_7_6645ab15.png"])
    size: int = Field(description="bytes")
    sha256: str = Field(description="64 hex digits; also the ETag of the bytes")
    md5: str = Field(description="32 hex digits")
    mimetype: str = Field(examples=["image/png"])
    updated_at: Seconds
    url: str = Field(
        description="path on this server that reads these bytes without a key; good for a day or more",
        examples=["/storage/RklMRQ"],
    )


class Files(Answer):
    """A page of a run's files, in the code-point order of their paths."""

    files: list[File]
    next: str | None = Field(description="`after` of the next page; null on the last")


class FileDeleted(Answer):
    """Whether there was such a file."""

    deleted: bool
