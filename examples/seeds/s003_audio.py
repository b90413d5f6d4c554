"""Seeds 003 and 004, "Audio": clips that can be played, at most 100 in a step.

Seen: two clips with captions under `examples`.
"""

import numpy as np

import runhue as wandb

SAMPLE_RATE = 8000
seconds = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE

with wandb.init(project="seeds", name="s003_audio"):
    tones = [np.sin(2 * np.pi * pitch * seconds) / 2 for pitch in (440, 660)]
    wandb.log({"examples": [wandb.Audio(tone, caption="Nice", sample_rate=SAMPLE_RATE) for tone in tones]})
