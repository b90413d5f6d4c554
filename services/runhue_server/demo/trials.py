"""The runs of the demo, and what each of them logs: the same in the process that trains and in the check."""

import math
import random
from collections.abc import Iterator
from typing import NamedTuple

RUNS = 60
SHORTEST, LONGEST = 12, 40
DIVERGING = 17
KILLED = 42
WANDB = (5, 15, 25, 35, 45, 55)
"""Logged by the wandb client where there is one."""

OPTIMIZERS = ("adam", "adamw", "sgd")
BATCH_SIZES = (16, 32, 64, 128, 256)
BEST_LEARNING_RATE = 3e-3


class Trial(NamedTuple):
    """One run. `epochs` counts from 2, as the training loop does."""

    number: int
    learning_rate: float
    batch_size: int
    optimizer: str
    epochs: int

    @property
    def run_id(self) -> str:
        return f"trial-{self.number:02d}"

    @property
    def name(self) -> str:
        return f"{self.optimizer} {self.learning_rate:.0e} x{self.batch_size}"

    @property
    def config(self) -> dict[str, float | int | str]:
        return {
            "learning_rate": self.learning_rate,
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
        }


def trials() -> list[Trial]:
    """All runs of the demo, always the same."""
    chance = random.Random(2)  # noqa: S311  # no secret: a demo that can be repeated
    return [_trial(number, chance) for number in range(RUNS)]


def logged(trial: Trial) -> Iterator[dict[str, float]]:
    """What a run logs, a dict a step: accuracy and loss of the introductory training loop.

    The offset grows with the distance from the best learning rate. One run diverges: all it has is NaN.
    """
    chance = random.Random(trial.number)  # noqa: S311  # as above
    distance = abs(math.log10(trial.learning_rate / BEST_LEARNING_RATE))
    offset = chance.random() / 5 + distance / 8
    for epoch in range(2, trial.epochs):
        acc = 1 - 2**-epoch - chance.random() / epoch - offset
        loss = 2**-epoch + chance.random() / epoch + offset
        yield {"acc": math.nan, "loss": math.nan} if trial.number == DIVERGING else {"acc": acc, "loss": loss}


def _trial(number: int, chance: random.Random) -> Trial:
    learning_rate = float(f"{10 ** chance.uniform(-5, -0.5):.2g}")
    return Trial(
        number,
        10.0 if number == DIVERGING else learning_rate,
        chance.choice(BATCH_SIZES),
        chance.choice(OPTIMIZERS),
        chance.randint(SHORTEST, LONGEST),
    )
