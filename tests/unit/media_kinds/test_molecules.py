"""What is found in molecules, format by format, and that files of another kind are refused."""

from typing import Any

import pytest

from tests.unit.media_kinds.looking import look, refused
from tests.unit.media_kinds.samples import CIF, GRO, MMCIF, MMTF, MOL2, PDB, PQR, SDF, SDF_V3000

FOUND: list[tuple[str, bytes, int, Any, Any]] = [
    ("pdb", PDB, 3, 2, 2),
    ("pqr", PQR, 1, None, None),
    ("mmcif", MMCIF, 2, None, 2),
    ("mcif", MMCIF, 2, None, 2),
    ("cif", CIF, 2, 1, None),
    ("sdf", SDF, 3, 2, 2),
    ("sd", SDF_V3000, 2, 1, 1),
    ("gro", GRO, 2, None, 2),
    ("mol2", MOL2, 3, 2, 1),
    ("mmtf", MMTF, 3, 2, 1),
]


@pytest.mark.parametrize(("ending", "content", "atoms", "bonds", "models"), FOUND)
def test_atoms_bonds_and_models_are_counted(
    ending: str, content: bytes, atoms: int, bonds: int | None, models: int | None
) -> None:
    """Atoms and bonds are those of the first model; what the format does not tell is null."""
    wanted = {"format": ending, "atoms": atoms, "bonds": bonds, "models": models}

    assert look("molecule", ending, content).facts == wanted
    if ending == "pdb":
        assert look("molecule", ending, content + b"CONECT\nCONECT    1\n").facts == wanted
    if ending != "mmtf":
        assert look("molecule", ending, content.replace(b"\n", b"\r\n")).facts == wanted


@pytest.mark.parametrize("ending", [ending for ending, *_ in FOUND])
@pytest.mark.parametrize("content", [b"hello\nworld\n", b"\x1f\x8b\x08" + bytes(60), b"{}", b"\n" * 99])
def test_other_files_are_no_molecules(ending: str, content: bytes) -> None:
    """Text and binary files under a molecule's name are refused, with what they are."""
    reason = refused("molecule", ending, content)

    assert reason.code == "not_a_molecule"
    assert reason.reason.startswith(f"A molecule in {ending} was expected, found ")


def test_text_under_the_name_of_mmtf_is_refused_and_the_other_way_round() -> None:
    """Each of the two kinds of files is told from the other."""
    assert "text that is no MMTF" in refused("molecule", "mmtf", PDB).reason
    assert "binary data" in refused("molecule", "pdb", MMTF).reason


def test_a_file_that_says_it_has_more_atoms_is_cut() -> None:
    """SDF, gro and MMTF tell how many atoms there are, and are refused when there are fewer."""
    assert refused("molecule", "sdf", SDF[:200]).code == "truncated"
    assert refused("molecule", "gro", GRO[:100]).code == "truncated"
    assert refused("molecule", "mmtf", MMTF.replace(b"numAtoms\x03", b"numAtoms\x04")).code == "truncated"


def test_sizes_of_mmtf_that_nobody_could_hold_are_refused() -> None:
    """A map that says it has thousands of millions of entries makes no room for them."""
    assert refused("molecule", "mmtf", b"\xdf\xff\xff\xff\xff\xa1a\x01").code == "not_a_molecule"
    assert refused("molecule", "mmtf", b"\x81\xa1a\xdd\xff\xff\xff\xff").code == "not_a_molecule"
    assert refused("molecule", "mmtf", b"\x81\xa8numAtoms\xff").code == "not_a_molecule"


def test_an_atom_without_a_position_is_shown() -> None:
    """The line that is no atom stands in the reason."""
    reason = refused("molecule", "pdb", PDB.replace(b"   0.117  1.00", b"   x.117  1.00"))

    assert reason.code == "not_a_molecule"
    assert "x.117" in reason.reason or "HETATM    1" in reason.reason


def test_endings_that_are_no_molecules_are_named() -> None:
    """An ending that no reader knows is refused with those that are."""
    assert refused("molecule", "xyz", b"1\n\nH 0 0 0\n").reason == (
        "Molecules may end in pdb, pqr, mmcif, mcif, cif, sdf, sd, gro, mol2, mmtf; this ends in 'xyz'."
    )


def test_an_open_quote_of_cif_takes_no_time() -> None:
    """A line of a megabyte full of quotes is read once."""
    assert refused("molecule", "cif", b"data_x\n" + b"'a " * 300_000).code == "not_a_molecule"
