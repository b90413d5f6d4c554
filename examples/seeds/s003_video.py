"""Seeds 003 and 004, "Log a Video": from files and from bytes.

Seen: a GIF and an MP4 in the media section.
"""

import io
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from PIL import Image

import runhue as wandb

frames = np.random.default_rng(0).integers(0, 256, size=(4, 32, 48, 3), dtype=np.uint8)
folder = Path(tempfile.mkdtemp())
first, *others = (Image.fromarray(frame) for frame in frames)
first.save(folder / "myvideo.gif", save_all=True, append_images=others, duration=250)
film = imageio_ffmpeg.write_frames(folder / "myvideo.mp4", (48, 32), fps=4)
film.send(None)
for frame in frames:
    film.send(frame)
film.close()

with wandb.init(project="seeds", name="s003_video"):
    wandb.log({"example": wandb.Video(str(folder / "myvideo.mp4"))})
    wandb.log({"animation": wandb.Video(str(folder / "myvideo.gif"), caption="moving")})
    wandb.log({"bytes": wandb.Video(io.BytesIO((folder / "myvideo.mp4").read_bytes()), format="mp4")})
