"""Seeds 003 and 004, "Images", "Log a PNG", "Log a JPEG" and "Compare images from different epochs".

Seen: grey, RGB and RGBA pictures with captions, a JPEG that stays one, and a step slider over the
epochs.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import runhue as wandb

numbers = np.random.default_rng(0)


def pixels(channels: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Noise of 24 by 32 pixels."""
    return numbers.integers(0, 256, size=(24, 32, channels), dtype=np.uint8)


with wandb.init(project="seeds", name="s003_images"):
    wandb.log(
        {"examples": [wandb.Image(pixels(3), caption="Label"), wandb.Image(pixels(3), caption="Other")]}
    )
    wandb.log({"grey": wandb.Image(pixels(1)), "rgba": wandb.Image(pixels(4))})
    wandb.log({"floats": wandb.Image(numbers.random((24, 32)))})
    wandb.log(
        {"pil": wandb.Image(Image.fromarray(pixels(3))), "mode": wandb.Image(pixels(1)[..., 0], mode="L")}
    )

    jpeg = Path(tempfile.mkdtemp()) / "myimage.jpg"
    Image.fromarray(pixels(4)).convert("RGB").save(jpeg)
    wandb.log({"jpeg": wandb.Image(str(jpeg))})

    for epoch in range(3):
        wandb.log({"epoch": epoch, "val_acc": 0.94, "over_epochs": wandb.Image(pixels(3))})
