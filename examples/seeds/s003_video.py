"""Seeds 003 and 004, "Log a Video": from files and from bytes.

Seen: a GIF and an MP4 in the media section. Needs `imageio[ffmpeg]` to make the files.
"""

import io
import tempfile
from pathlib import Path

import imageio.v3 as imageio
import numpy as np

import runhue as wandb

frames = np.random.default_rng(0).integers(0, 256, size=(4, 32, 48, 3), dtype=np.uint8)
folder = Path(tempfile.mkdtemp())
imageio.imwrite(folder / "myvideo.gif", frames, duration=250)
imageio.imwrite(folder / "myvideo.mp4", frames, fps=4)

with wandb.init(project="seeds", name="s003_video"):
    wandb.log({"example": wandb.Video(str(folder / "myvideo.mp4"))})
    wandb.log({"animation": wandb.Video(str(folder / "myvideo.gif"), caption="moving")})
    wandb.log({"bytes": wandb.Video(io.BytesIO((folder / "myvideo.mp4").read_bytes()), format="mp4")})
