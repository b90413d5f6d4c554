"""Looks at molecules: counts atoms, bonds and models, and checks that they are what the ending says."""

from typing import Final

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.chemistry import Counts, Reader, not_a_molecule
from runhue_server.media.kinds.chemistry_binary import read_mmtf
from runhue_server.media.kinds.chemistry_tables import (
    read_cif,
    read_gro,
    read_mol2,
    read_pdb,
    read_pqr,
    read_sdf,
)
from runhue_server.media.kinds.first_bytes import check_size, found_in, is_binary

MAX_BYTES: Final = 128 << 20
_BINARY: Final = "mmtf"
_READERS: Final[dict[str, Reader]] = {
    "pdb": read_pdb,
    "pqr": read_pqr,
    **dict.fromkeys(("mmcif", "mcif", "cif"), read_cif),
    **dict.fromkeys(("sdf", "sd"), read_sdf),
    "gro": read_gro,
    "mol2": read_mol2,
    _BINARY: read_mmtf,
}


def inspect_molecule(source: Source, _workshop: Workshop) -> Facts:
    """What a molecule is made of.

    Returns:
        `format`, as the ending says; `atoms` and `bonds` of the first model, `models`; null where the
        file does not tell.
    Raises:
        Refused: `empty`, `too_large`, `unsupported_format`, `not_a_molecule` or `truncated`.
    """
    check_size(source, MAX_BYTES)
    reader = _READERS.get(source.format)
    if reader is None:
        allowed = ", ".join(_READERS)
        raise Refused(
            "unsupported_format", f"Molecules may end in {allowed}; this ends in {source.format!r}."
        )
    content = source.path.read_bytes()
    if source.format != _BINARY and is_binary(content[:65536]):
        raise not_a_molecule(source.format, found_in(content[:64]))
    counts: Counts = reader(content, source.format)
    return {"format": source.format, **counts._asdict()}
