"""Reads MMTF, a map in MessagePack (MMTF specification 1.0), without making room for what it claims."""

from typing import Any, Final

import msgspec

from runhue_server.media.contract import Refused
from runhue_server.media.kinds.chemistry import Counts, not_a_molecule
from runhue_server.media.kinds.first_bytes import found_in

_LARGEST: Final = 2**31 - 1


def read_mmtf(content: bytes, format_: str) -> Counts:
    """Atoms and bonds of all of the file's models together, as MMTF counts them."""
    try:
        fields = msgspec.msgpack.decode(content, type=dict[str, msgspec.Raw])
        atoms, bonds, models = (_number(fields, name) for name in ("numAtoms", "numBonds", "numModels"))
        positions = msgspec.msgpack.decode(fields.get("xCoordList", b"\xc0"), type=bytes | None)
    except (msgspec.MsgspecError, ValueError, RecursionError, MemoryError) as error:
        raise not_a_molecule(format_, f"{found_in(content[:64])} that is no MMTF") from error
    if not atoms:
        raise not_a_molecule(format_, "no number of atoms")
    told = int.from_bytes(positions[4:8], "big") if positions and len(positions) >= 12 else 0
    if told != atoms:
        raise Refused("truncated", f"The file says it has {atoms:,} atoms; it has {told:,} positions.")
    return Counts(atoms, bonds, models)


def _number(fields: dict[str, Any], name: str) -> int | None:  # of msgspec.Raw
    if name not in fields:
        return None
    number = msgspec.msgpack.decode(fields[name], type=int)
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"{name} is out of range")
    return number
