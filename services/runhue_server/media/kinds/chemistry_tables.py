"""Reads molecules that are written as text: enough of each format to count, and to know that it is one."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from runhue_server.media.contract import Refused
from runhue_server.media.kinds.chemistry import Counts, lines_of, not_a_molecule, words
from runhue_server.media.kinds.cif import rows_of
from runhue_server.media.kinds.first_bytes import found_in

MAX_BONDS: Final = 2_000_000
"""That are told apart; a file that lists more is not counted further."""

_ATOMS: Final = (b"ATOM ", b"ATOM\t", b"HETATM")
_MAX_RECORD_LINES: Final = 4_000_000


def read_pdb(content: bytes, format_: str) -> Counts:
    """PDB 3.3: atoms are ATOM and HETATM, bonds the pairs of CONECT (none: not told), models MODEL."""
    atoms, models = _atoms_by_line(content, format_)
    bonds: set[tuple[bytes, bytes]] = set()
    for line in lines_of(content):
        if line.startswith(b"CONECT") and len(bonds) < MAX_BONDS:
            bonds.update(_connected(line))
    return Counts(atoms, len(bonds) or None, max(models, 1))


def read_pqr(content: bytes, format_: str) -> Counts:
    """PQR, which is PDB with charge and radius; it has no bonds."""
    atoms, models = _atoms_by_line(content, format_)
    return Counts(atoms, None, models or None)


def _atoms_by_line(content: bytes, format_: str) -> tuple[int, int]:
    """Atoms of the first model, and how many models."""
    atoms = models = 0
    for line in lines_of(content):
        if models < 2 and line.startswith(_ATOMS):
            _check_position(line, format_)
            atoms += 1
        models += line.startswith(b"MODEL ")
    if not atoms:
        raise not_a_molecule(format_, f"no atom in {found_in(content[:64])}")
    return atoms, models


def _check_position(line: bytes, format_: str) -> None:
    numbers = (line[30:38], line[38:46], line[46:54]) if format_ == "pdb" else line.split()[-5:-2]
    if len(numbers) < 3 or not all(map(_is_number, numbers)):
        raise not_a_molecule(format_, f"an atom without a position, {words(line)}")


def _connected(line: bytes) -> Iterator[tuple[bytes, bytes]]:
    first = line[6:11].strip()
    for other in (line[at : at + 5].strip() for at in range(11, min(len(line), 31), 5)):
        if first and other:
            yield min(first, other), max(first, other)


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_cif(content: bytes, format_: str) -> Counts:
    """CIF 1.1 and mmCIF: rows of `_atom_site` (or `_chem_comp_atom`), and of the bonds' tables."""
    tables = rows_of(content, format_)
    sites = next(
        (tables[name] for name in ("_atom_site", "_chem_comp_atom") if name in tables and tables[name].rows),
        None,
    )
    if sites is None:
        raise not_a_molecule(format_, f"no atom in {found_in(content[:64])}")
    bonds = next((tables[name].rows for name in ("_chem_comp_bond", "_geom_bond") if name in tables), None)
    return Counts(sites.rows_of_first_model, bonds, sites.models)


def read_sdf(content: bytes, format_: str) -> Counts:
    """SDF and molfiles, V2000 and V3000 (CTfile formats, 2020): a record for each model."""
    counts: Counts | None = None
    models = 0
    record: list[bytes] = []
    for line in lines_of(content):
        if line.startswith(b"$$$$"):
            models += 1
            counts = counts or _record(record, format_)
            record.clear()
        elif counts is None and len(record) < _MAX_RECORD_LINES:
            record.append(line)
    if counts is None:
        models, counts = 1, _record(record, format_)
    return counts._replace(models=models)


def _record(lines: list[bytes], format_: str) -> Counts:
    told = lines[3] if len(lines) > 3 else b""
    if b"V3000" in told:
        return _record_v3000(lines, format_)
    atoms, bonds = _told(told[:3]), _told(told[3:6])
    if atoms is None or bonds is None or not atoms:
        raise not_a_molecule(format_, f"no counts of atoms and bonds in line 4, {words(told)}")
    rows = lines[4 : 4 + atoms]
    _check_rows(len(lines) - 4, atoms + bonds)
    for row in rows:
        if len(row) < 31 or not all(_is_number(row[at : at + 10]) for at in (0, 10, 20)):
            raise not_a_molecule(format_, f"an atom without a position, {words(row)}")
    return Counts(atoms, bonds, 1)


def _record_v3000(lines: list[bytes], format_: str) -> Counts:
    told = next((line.split()[3:5] for line in lines if line.startswith(b"M  V30 COUNTS")), [])
    atoms, bonds = (_told(part) for part in told) if len(told) == 2 else (None, None)
    if not atoms or bonds is None:
        raise not_a_molecule(format_, "no counts of atoms and bonds")
    _check_rows(sum(line.startswith(b"M  V30 ") for line in lines) - 1, atoms + bonds)
    return Counts(atoms, bonds, 1)


def _told(text: bytes) -> int | None:
    text = text.strip()
    return int(text) if text.isdigit() and len(text) < 10 else None


def _check_rows(there: int, told: int) -> None:
    if there < told:
        raise Refused(
            "truncated",
            f"The file says it has {told:,} lines of atoms and the like; {max(there, 0):,} follow.",
        )


def read_gro(content: bytes, format_: str) -> Counts:
    """GROMACS' gro: title, number of atoms, a line for each, box; and so on for each model."""
    lines = lines_of(content)
    models = first = 0
    for title in lines:
        number = next(lines, b"")
        if models and not title.strip() and not number.strip():
            break
        atoms = _told(number)
        if not atoms:
            raise not_a_molecule(format_, f"no number of atoms in the second line, {words(number)}")
        _check_gro_atom(next(lines, b""), format_)
        _check_rows(1 + sum(1 for _ in islice(lines, atoms)), atoms + 1)
        first = first or atoms
        models += 1
    return Counts(first, None, models)


def _check_gro_atom(line: bytes, format_: str) -> None:
    # Positions have as many digits as the distance between their points says (GROMACS manual, gro).
    points = [at for at, sign in enumerate(line[:200]) if sign == ord(".")][:2]
    width = points[1] - points[0] if len(points) == 2 else 0
    fields = (line[20 + width * axis : 20 + width * (axis + 1)] for axis in range(3))
    if not 5 <= width <= 30 or not all(map(_is_number, fields)):
        raise not_a_molecule(format_, f"an atom without a position, {words(line)}")


def read_mol2(content: bytes, format_: str) -> Counts:
    """Tripos' mol2: a section MOLECULE for each model, then ATOM and BOND."""
    models = atoms = 0
    bonds: int | None = None
    section = b""
    for line in lines_of(content):
        if line.startswith(b"@<TRIPOS>"):
            section = line[9:].strip()
            models += section == b"MOLECULE"
            bonds = bonds or 0 if section == b"BOND" and models < 2 else bonds
        elif models == 1 and line.strip() and not line.startswith(b"#"):
            atoms += section == b"ATOM" and _checked_mol2(line, format_)
            bonds = bonds + 1 if section == b"BOND" and bonds is not None else bonds
    if not atoms:
        raise not_a_molecule(format_, f"no atom in {found_in(content[:64])}")
    return Counts(atoms, bonds, models)


def _checked_mol2(line: bytes, format_: str) -> bool:
    parts = line.split(maxsplit=6)
    if len(parts) < 6 or not all(map(_is_number, parts[2:5])):
        raise not_a_molecule(format_, f"an atom without a position, {words(line)}")
    return True
