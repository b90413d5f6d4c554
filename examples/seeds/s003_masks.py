"""Seeds 003 and 004, "Segmentation Mask": layers over a picture that can be toggled, by layer and by class.

Seen: the picture with the layers `predictions` and `ground_truth`, and the classes tree, car and road.
"""

import numpy as np

import runhue as wandb

numbers = np.random.default_rng(0)
image = numbers.integers(0, 256, size=(16, 24, 3), dtype=np.uint8)
class_labels = {1: "tree", 2: "car", 3: "road"}


def mask() -> dict[str, object]:
    """A class for each pixel."""
    return {
        "mask_data": numbers.integers(1, 4, size=(16, 24), dtype=np.uint8),
        "class_labels": class_labels,
    }


with wandb.init(project="seeds", name="s003_masks"):
    mask_img = wandb.Image(image, masks={"predictions": mask(), "ground_truth": mask()})
    wandb.log({"masks": mask_img})
