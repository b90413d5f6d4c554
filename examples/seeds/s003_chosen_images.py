"""Seeds 003 and 004, "Control image uploading": pictures go to the server only when they are logged.

Seen: the pictures under `Examples`, beside the numbers of the same step, and no other picture.
"""

import numpy as np

import runhue as wandb

numbers = np.random.default_rng(0)
pictures = numbers.integers(0, 256, size=(10, 28, 28), dtype=np.uint8)
example_images = [wandb.Image(picture, caption=f"example {at}") for at, picture in enumerate(pictures[:4])]

with wandb.init(project="seeds", name="s003_chosen_images"):
    wandb.log({"Examples": example_images, "Test Accuracy": 93.5, "Test Loss": 0.21})
