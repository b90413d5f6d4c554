"""`runhue.Molecule`: structures, shown in three dimensions."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.media import Media, Place
from runhue._media.sources import file_of
from runhue._media.text import caption_of, existing_file, path_of, suffix_of

FORMATS = ("pdb", "pqr", "mmcif", "mcif", "cif", "sdf", "sd", "gro", "mol2", "mmtf")
RDKIT_FORMATS = ("mol", "sdf")
MOLECULE = Any
"""An `rdkit.Chem.rdchem.Mol`, whose library is optional."""


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
    SUPPORTED_RDKIT_TYPES = frozenset(RDKIT_FORMATS)

    def __init__(
        self,
        data_or_path: Any,  # path or open file
        caption: str | None = None,
        *,
        file_type: str | None = None,
    ) -> None:
        self.caption = caption_of(caption, "Molecule")
        self._content, self._extension = file_of(data_or_path, file_type, FORMATS, "Molecule")

    @classmethod
    def from_rdkit(
        cls,
        data_or_path: MOLECULE | str | Path,
        caption: str | None = None,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> "Molecule":
        """As `Molecule` of what RDKit holds, or reads from a mol or sdf file (its first structure); as pdb.

        Args:
            convert_to_3d_and_optimize: add hydrogens and find a shape in space, which may take long.
            mmff_optimize_molecule_max_iterations: bound of that search.
        Raises:
            BadMedia: no molecule, no such file, or a file that RDKit cannot read.
            LibraryMissing: needs rdkit.
        """
        chem = _rdkit("Chem", "Molecule.from_rdkit")
        path = path_of(data_or_path)
        molecule = data_or_path if path is None else _read_by_rdkit(chem, path)
        if not hasattr(molecule, "GetNumAtoms"):
            raise BadMedia(
                "Molecule.from_rdkit takes a molecule of RDKit or the path of a mol or sdf file,"
                f" got {type(data_or_path).__name__}"
            )
        if convert_to_3d_and_optimize:
            shaping = _rdkit("Chem.AllChem", "Molecule.from_rdkit")
            molecule = chem.AddHs(molecule)
            shaping.EmbedMolecule(molecule)
            shaping.MMFFOptimizeMolecule(molecule, maxIters=mmff_optimize_molecule_max_iterations)
        return cls(io.StringIO(chem.MolToPDBBlock(molecule)), caption=caption, file_type="pdb")

    @classmethod
    def from_smiles(
        cls,
        data: str,
        caption: str | None = None,
        sanitize: bool = True,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> "Molecule":
        """As `from_rdkit` of a SMILES string; `sanitize` has RDKit check that it makes sense.

        Raises:
            BadMedia: RDKit cannot parse it.
            LibraryMissing: needs rdkit.
        """
        if not isinstance(data, str):
            raise BadMedia(f"Molecule.from_smiles: data must be a str, got {type(data).__name__}")
        molecule = _rdkit("Chem", "Molecule.from_smiles").MolFromSmiles(data, sanitize=sanitize)
        if molecule is None:
            raise BadMedia(f"Molecule.from_smiles: data must be SMILES that RDKit takes, got {data!r:.80}")
        return cls.from_rdkit(
            molecule, caption, convert_to_3d_and_optimize, mmff_optimize_molecule_max_iterations
        )

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


def _rdkit(module: str, needed_for: str) -> Any:  # a module has no static type
    return library(f"rdkit.{module}", needed_for, "'runhue[rdkit]'")


def _read_by_rdkit(chem: Any, path: Path) -> MOLECULE:
    """The molecule of a file, the first one of several."""
    extension = suffix_of(path)
    if extension not in RDKIT_FORMATS:
        allowed = " or ".join(RDKIT_FORMATS)
        raise BadMedia(f"Molecule.from_rdkit: a file must be {allowed}, got {path.name!r}")
    existing_file(path, "Molecule.from_rdkit")
    try:
        molecule = (
            chem.MolFromMolFile(str(path))
            if extension == "mol"
            else next(iter(chem.SDMolSupplier(str(path))), None)
        )
    except OSError as error:
        raise BadMedia(f"Molecule.from_rdkit: {path} cannot be read: {error}") from error
    if molecule is None:
        raise BadMedia(f"Molecule.from_rdkit: {path} holds no molecule that RDKit can read")
    return molecule
