"""Seeds 003 and 004, "Point Clouds": points with no color, a category or a color, and a scene with boxes.

Seen: three clouds, and `point_scene` with two labelled boxes and an arrow. A color above 255 is cut.
"""

import numpy as np

import runhue as wandb

numbers = np.random.default_rng(0)
places = numbers.random((50, 3))
categories = numbers.integers(1, 15, size=(50, 1))
colors = numbers.integers(0, 256, size=(50, 3))


def corners(size: int) -> list[list[int]]:
    """The eight corners of a cube."""
    return [[x * size, y * size, z * size] for x in (0, 1) for y in (0, 1) for z in (0, 1)]


with wandb.init(project="seeds", name="s003_point_clouds"):
    wandb.log({"plain": wandb.Object3D(places)})
    wandb.log({"categories": wandb.Object3D(np.hstack([places, categories]))})
    wandb.log({"point_cloud": wandb.Object3D(np.hstack([places, colors]))})
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
                    "vectors": np.array([{"start": [0, 0, 0], "end": [0.1, 0.2, 0.5]}]),
                }
            )
        }
    )
