"""What answers about media look like."""

from typing import Any, Literal

from pydantic import Field

from runhue_server.api.models_runs import Answer

State = Literal["ready", "waiting", "awaited", "expired", "refused"]


class MediaKey(Answer):
    """A key of a run that holds media."""

    key: str
    types: list[str] = Field(description="`_type` of its values; a list of media is `list`")
    kind: str = Field(description="image, audio, ..., histogram", examples=["image"])
    count: int = Field(description="steps at which it was logged")
    first_step: int
    last_step: int


class MediaKeys(Answer):
    """By key."""

    keys: list[MediaKey]


class RunSteps(Answer):
    """How many of the steps a run has."""

    run_id: str
    count: int


class MediaSteps(Answer):
    """Ascending steps at which some of the runs logged media; `more`: further ones come behind the last."""

    steps: list[int]
    more: bool
    runs: list[RunSteps] = Field(description="in the order asked for")


class Rendition(Answer):
    """Bytes that were made of a file."""

    url: str
    mimetype: str
    size: int = Field(description="bytes")


class MediaFile(Answer):
    """A file that a logged value names."""

    path: str | None = Field(description="in the run's files; null when the value itself is all")
    sha256: str | None = Field(description="of the bytes, or as it was logged while they are not here")
    size: int | None = Field(description="bytes")
    mimetype: str | None
    state: State = Field(
        description="waiting: not looked at yet; awaited: the bytes have not come; expired: kept long enough"
    )
    code: str | None = Field(description="why it is refused")
    reason: str | None
    url: str | None = Field(
        description="where a browser reads the bytes, for a day: an address, or a path of this server"
    )
    facts: dict[str, Any] | None = Field(description="what is known of the bytes, by kind: docs/media.md")
    renditions: dict[str, Rendition]


class Layer(MediaFile):
    """A mask, or a group of boxes."""

    labels: dict[str, Any] = Field(description="names of classes by id", examples=[{"0": "road"}])


class Medium(MediaFile):
    """One medium: of a list that was logged each is one."""

    run_id: str
    key: str
    step: int | None = Field(description="null when it was set in the summary")
    index: int = Field(description="place in the list, 0 without one")
    type: str = Field(examples=["image-file"])
    kind: str = Field(examples=["image"])
    caption: str | None
    masks: dict[str, Layer]
    boxes: dict[str, Layer]
    value: dict[str, Any] = Field(description="as it was logged; of lists, with what the list says of it")


class Media(Answer):
    """A page of media by step, run and index; `next` is the `after` of the next page."""

    media: list[Medium]
    next: str | None


class SummaryMedia(Answer):
    """The media in a run's summary, by dotted key and index; `truncated`: only the first are here."""

    media: list[Medium]
    truncated: bool
