"""Seeds 003 and 004, "Molecule": molecules to turn and zoom.

Seen: water in three dimensions.
"""

import tempfile
from pathlib import Path

import runhue as wandb

WATER = """\
HETATM    1  O   HOH A   1       0.000   0.000   0.000  1.00  0.00           O
HETATM    2  H1  HOH A   1       0.957   0.000   0.000  1.00  0.00           H
HETATM    3  H2  HOH A   1      -0.240   0.927   0.000  1.00  0.00           H
END
"""

pdb = Path(tempfile.mkdtemp()) / "water.pdb"
pdb.write_text(WATER, encoding="ascii")

with wandb.init(project="seeds", name="s003_molecule"):
    with pdb.open(encoding="ascii") as protein:
        wandb.log({"protein": wandb.Molecule(protein)})
    wandb.log({"by_path": wandb.Molecule(str(pdb))})
