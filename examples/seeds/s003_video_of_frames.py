"""Seeds 003 and 004, "Video": frames of an array, encoded as a GIF of 4 frames a second.

Seen: `video` moves. The array is time, channel, width, height.
"""

import numpy as np

import runhue as wandb

WANDB_NEEDS = ("moviepy",)

numpy_array = np.random.default_rng(0).integers(0, 256, size=(6, 3, 32, 48), dtype=np.uint8)

with wandb.init(project="seeds", name="s003_video_of_frames"):
    wandb.log({"video": wandb.Video(numpy_array, fps=4, format="gif")})
