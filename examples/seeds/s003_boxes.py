"""Seeds 003 and 004, "Bounding Box": groups of boxes over a picture, filtered by class and by score.

Seen: boxes given by their corners and by their middle, as parts of the picture and in pixels, with
captions and scores; class_0, class_1... where no labels are given.
"""

import numpy as np

import runhue as wandb

image = np.random.default_rng(0).integers(0, 256, size=(60, 80, 3), dtype=np.uint8)
class_id_to_label = {1: "car", 2: "road", 3: "building"}

predictions = [
    {
        "position": {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4},
        "class_id": 2,
        "box_caption": "minMax(pixel)",
        "scores": {"acc": 0.1, "loss": 1.2},
    },
    {
        "position": {"middle": [0.5, 0.5], "width": 0.25, "height": 0.125},
        "class_id": 1,
        "box_caption": "a car",
        "scores": {"acc": 0.7},
    },
]
ground_truth = [
    {"position": {"minX": 8, "maxX": 16, "minY": 18, "maxY": 24}, "class_id": 2, "domain": "pixel"},
    {"position": {"middle": [40, 30], "width": 20, "height": 8}, "class_id": 1, "domain": "pixel"},
]

with wandb.init(project="seeds", name="s003_boxes"):
    img = wandb.Image(
        image,
        boxes={
            "predictions": {"box_data": predictions, "class_labels": class_id_to_label},
            "ground_truth": {"box_data": ground_truth},
        },
    )
    wandb.log({"driving_scene": img})
