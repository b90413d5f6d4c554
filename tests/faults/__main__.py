"""`python -m tests.faults --seed random --minutes 20`: campaigns of a minute, each on a stack of its own."""

import argparse
import random
import tempfile
import time
from contextlib import closing
from pathlib import Path

from runhue_server.stack import Stack
from tests.faults.campaign import Campaign


def main() -> None:
    """Run campaigns until the time is over; the first failure ends it and names its seed."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--seed", default="random", help="a number, or random")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of one campaign's faults")
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(2**31) if arguments.seed == "random" else int(arguments.seed)
    end = time.monotonic() + arguments.minutes * 60
    done = 0
    while True:
        print(f"campaign {done + 1}, seed {seed}", flush=True)
        with (
            tempfile.TemporaryDirectory() as folder,
            Stack.temporary() as stack,
            closing(Campaign(stack, Path(folder) / "runs", seed, arguments.seconds)) as campaign,
        ):
            campaign.run()
            rows = sum(len(expected.must) for expected in campaign.expected().values())
            pictures = sum(len(expected.pictures) for expected in campaign.expected().values())
        told = f"{len(campaign.faults)} faults, {rows:,} rows and {pictures:,} pictures"
        print(f"  {told}, 0 lost, 0 doubled, colors exact", flush=True)
        done += 1
        seed += 1000
        if time.monotonic() > end:
            return


if __name__ == "__main__":
    main()
