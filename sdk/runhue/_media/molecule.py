"""`runhue.Molecule`: structures, shown in three dimensions."""

from collections.abc import Sequence
from typing import Any

from runhue._media.media import Media, Place
from runhue._media.sources import file_of
from runhue._media.text import caption_of

FORMATS = ("pdb", "pqr", "mmcif", "mcif", "cif", "sdf", "sd", "gro", "mol2", "mmtf")


class Molecule(Media):
    """A structure in a file, which is kept as it is.

    Args:
        data_or_path: a path or an open file: pdb, pqr, mmcif, mcif, cif, sdf, sd, gro, mol2 or mmtf.
        caption: shown below it.
        file_type: one of these, for an open file without a name.
    Raises:
        BadMedia: no such file, or another format.
    """

    SUPPORTED_TYPES = frozenset(FORMATS)

    def __init__(
        self,
        data_or_path: Any,  # path or open file
        caption: str | None = None,
        *,
        file_type: str | None = None,
    ) -> None:
        self.caption = caption_of(caption, "Molecule")
        self._content, self._extension = file_of(data_or_path, file_type, FORMATS, "Molecule")

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: molecule-file, path, sha256, size, caption?}`."""
        value = {"_type": "molecule-file", **place.add_file(self._content, "molecule", self._extension)}
        if self.caption is not None:
            value["caption"] = self.caption
        return value

    @classmethod
    def stored_list(cls, items: Sequence["Molecule"], place: Place) -> dict[str, Any]:
        """`{_type: molecule, count, filenames: [...], captions?}`."""
        paths = [item.stored(place)["path"] for item in items]
        stored: dict[str, Any] = {"_type": "molecule", "filenames": paths, "count": len(paths)}
        if any(item.caption is not None for item in items):
            stored["captions"] = [item.caption for item in items]
        return stored
