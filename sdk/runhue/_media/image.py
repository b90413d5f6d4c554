"""`runhue.Image`: pictures, with masks and boxes over them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from runhue._errors import BadMedia
from runhue._media.media import Media, Place
from runhue._media.overlays import Boxes, Mask, class_labels
from runhue._media.pixels import ENCODERS, encoded, picture_of, size_of_file
from runhue._media.text import caption_of, existing_file, path_of, suffix_of

FOLDER = "images"
DEFAULT_TYPE = "png"


class Image(Media):
    """A picture. It is encoded at once, so that later changes of an array do not matter.

    Args:
        data_or_path: an array of shape (height, width) or (height, width, channels) with 1 (grey), 3
            (RGB) or 4 (RGBA) channels, a torch tensor (channels, height, width), a PIL image, a
            matplotlib figure, another Image, or the path of an image file, which is kept as it is: what
            pillow reads, or SVG.
            Floats of at most 1 are scaled to 0..255, see `pixels.to_uint8`.
        mode: a pillow mode to convert to, such as "L"; by default it follows from the channels.
        caption: shown below it.
        grouping: kept for old scripts; stored.
        classes: `[{"id": 1, "name": "car"}, ...]`, for masks and boxes that have no labels of their own.
        boxes: by group `{"box_data": [...], "class_labels": {id: name}}`; a box has a `position`
            (minX, maxX, minY, maxY, or middle, width, height), and may have `class_id`, `box_caption`,
            `scores` and `domain`: "percentage" of the image (the default, 0 to 1) or "pixel".
        masks: by layer `{"mask_data": array, "class_labels": {id: name}}`, with mask_data of shape
            (height, width) and class ids from 0 to 255, or `path` of a mask's file.
        file_type: "png" (the default), "jpg", "jpeg" or "bmp"; a file keeps its own.
        normalize: False to take an array's values as 0 to 255 whatever they are, beyond cut off.
    Raises:
        BadMedia: a shape, value or file that is none of these.
        LibraryMissing: needs pillow, and numpy for arrays (`runhue[media]`).
    """

    warn_from: ClassVar[int | None] = 50

    content: bytes
    """The file, whose type `format` says; `width` and `height` are pixels."""

    format: str
    width: int | None
    """None of SVG, which has no pixels of its own; so is `height`."""
    height: int | None

    def __init__(
        self,
        data_or_path: Any,  # array, tensor, PIL image, figure, path or Image
        mode: str | None = None,
        caption: str | None = None,
        grouping: int | None = None,
        classes: Sequence[Mapping[str, Any]] | None = None,
        boxes: Mapping[str, Any] | None = None,
        masks: Mapping[str, Any] | None = None,
        file_type: str | None = None,
        normalize: bool = True,
    ) -> None:
        if file_type is not None and file_type not in ENCODERS:
            raise BadMedia(f"Image: file_type must be one of {', '.join(ENCODERS)}, got {file_type!r}")
        self.caption = caption_of(caption, "Image")
        self._grouping = grouping
        self._take(data_or_path, mode, file_type or DEFAULT_TYPE, normalize)
        labels = class_labels(classes, "classes")
        self.masks = [Mask(name, mask, labels) for name, mask in _layers(masks, "masks")]
        self.boxes = [Boxes(name, group, labels) for name, group in _layers(boxes, "boxes")]

    def _take(self, data: Any, mode: str | None, file_type: str, scale: bool) -> None:  # as __init__ has it
        path = path_of(data)
        if isinstance(data, Image):
            self.content, self.format = data.content, data.format
            self.width, self.height = data.width, data.height
            self.caption = data.caption if self.caption is None else self.caption
            return
        if path is not None:
            self.format = suffix_of(path)
            self.content = existing_file(path, "Image").read_bytes()
            self.width, self.height = size_of_file(self.content, path)
        else:
            self.format = file_type
            picture = picture_of(data, mode, scale=scale)
            self.content = encoded(picture, file_type)
            self.width, self.height = picture.size

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: image-file, path, sha256, size, format, width, height, caption?, boxes?, masks?}`."""
        value = {"_type": "image-file", **place.add_file(self.content, FOLDER, self.format)}
        value["format"] = self.format
        if self.width is not None:
            value |= {"width": self.width, "height": self.height}
        if self.caption is not None:
            value["caption"] = self.caption
        if self._grouping:
            value["grouping"] = self._grouping
        if self.boxes:
            value["boxes"] = {group.name: group.stored(place) for group in self.boxes}
        if self.masks:
            value["masks"] = {mask.name: mask.stored(place) for mask in self.masks}
        for doubt in self._doubts():
            place.warn(f"{place.key}: {doubt}")
        return value

    def _doubts(self) -> Iterator[str]:
        """What is stored as it came, and looks like a mistake."""
        for mask in self.masks:
            if self.width is not None and mask.size != (self.width, self.height):
                yield f"masks[{mask.name!r}] has another width or height than the image"
        for group in self.boxes:
            if group.looks_like_pixels:
                yield (
                    f"boxes[{group.name!r}] has positions far beyond 1, the image's whole width and height:"
                    ' of pixels say "domain": "pixel" in each box'
                )

    @classmethod
    def stored_list(cls, items: Sequence["Image"], place: Place) -> dict[str, Any]:
        """`{_type: images/separated, count, width, height, format, filenames, ...}`, size of the first."""
        values = [item.stored(place) for item in items]
        first = values[0]
        stored = {"_type": "images/separated", "format": first["format"], "count": len(values)}
        stored |= {side: first[side] for side in ("width", "height") if side in first}
        stored["filenames"] = [value["path"] for value in values]
        for each, listed in (("caption", "captions"), ("masks", "all_masks"), ("boxes", "all_boxes")):
            parts = [value.get(each) for value in values]
            if any(part is not None for part in parts):
                stored[listed] = parts
        return stored


def _layers(given: Mapping[str, Any] | None, name: str) -> list[tuple[str, Any]]:
    """(name, layer) of each."""
    if given is None:
        return []
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise BadMedia(f"Image: {name} must be a dict by name, got {type(given).__name__}")
    return list(given.items())
