"""Seed 003, "Point Clouds": the scene as the document writes it, with its vectors in a plain list.

Seen: two labelled boxes around three points, and an arrow. A color above 255 is cut.
"""

import numpy as np

import runhue as wandb

ONLY_RUNHUE = "today's wandb takes the vectors of a scene as an array only"


def corners(size: int) -> list[list[int]]:
    """The eight corners of a cube, in the document's order."""
    order = ["000", "010", "001", "100", "110", "011", "101", "111"]
    return [[int(axis) * size for axis in corner] for corner in order]


with wandb.init(project="seeds", name="s003_lidar"):
    wandb.log(
        {
            "point_scene": wandb.Object3D(
                {
                    "type": "lidar/beta",
                    "points": np.array([[0.4, 1, 1.3], [1, 1, 1], [1.2, 1, 1.2]]),
                    "boxes": np.array(
                        [
                            {"corners": corners(1), "label": "Box", "color": [123, 321, 111]},
                            {"corners": corners(2), "label": "Box-2", "color": [111, 321, 0]},
                        ]
                    ),
                    "vectors": [{"start": [0, 0, 0], "end": [0.1, 0.2, 0.5]}],
                }
            )
        }
    )
