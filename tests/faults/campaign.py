"""One seeded campaign: training processes and raw senders log while faults strike; then all is compared."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import runhue
from runhue._sync import sync
from runhue_server.stack import Stack
from tests.faults.checker import Checker, Expected, returned_steps
from tests.faults.raw_sender import RawSender
from tests.faults.schedule import Fault, plan, strike
from tests.faults.truth import has_picture

COLORS = {"key": {"source": "metric", "name": "loss"}, "y": "min", "buckets": 6, "palette": "default"}


@dataclass
class Trainer:
    """A run's training process and the folder with its spool and notes."""

    run: str
    seed: int
    first: int
    steps: int
    stride: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def may(self) -> frozenset[int]:
        """Every step it was told to log."""
        return frozenset(range(self.first, self.first + self.steps * self.stride, self.stride))


@dataclass
class Campaign:
    """`seconds` of faults on `stack`, all chosen by `seed`; `faults` keeps what struck."""

    stack: Stack
    folder: Path
    seed: int
    seconds: float
    trainers: list[Trainer] = field(default_factory=list)
    senders: list[RawSender] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._checker = Checker(self.stack.api_url, self.stack.api_key)

    def close(self) -> None:
        """Let go of the stack."""
        self._checker.close()

    def run(self) -> None:
        """Log under faults, recover what was killed, then check every point, picture and color.

        Raises:
            AssertionError: something was lost, doubled or colored wrongly; the seed repeats it.
        """
        faults = plan(random.Random(self.seed + 1), self.seconds, every=2.0)
        senders = self._start_loads()
        self._strike_all(faults)
        for thread in senders:
            thread.join(timeout=300)
        for trainer in self.trainers:
            code = trainer.process.wait(timeout=300)
            if code not in (0, -signal.SIGKILL):
                told = (trainer.folder / "output").read_text(errors="replace")
                raise AssertionError(f"{trainer.run}'s training process exited with {code}: {told[-2000:]}")
        if self.failures:
            raise AssertionError(f"a sender failed: {self.failures[0]}") from self.failures[0]
        self.stack.wait_ready()
        self._recover()
        expected = self.expected()
        self._checker.wait(expected, seconds=120)
        self._checker.set_colors(COLORS)
        self._checker.check_colors(COLORS, expected, seconds=60)
        self._check_dead_letters()

    def expected(self) -> dict[str, Expected]:
        """Per run: the rows whose log() returned or whose batch was acknowledged, and those in flight."""
        must: dict[str, set[int]] = {}
        may: dict[str, set[int]] = {}
        seeds: dict[str, int] = {}
        pictures: dict[str, set[int]] = {}
        for trainer in self.trainers:
            returned = returned_steps(trainer.folder)
            must.setdefault(trainer.run, set()).update(returned)
            pictures.setdefault(trainer.run, set()).update(filter(has_picture, returned))
            may.setdefault(trainer.run, set()).update(trainer.may)
            seeds[trainer.run] = trainer.seed
        for sender in self.senders:
            must.setdefault(sender.run, set()).update(sender.logged)
            seeds[sender.run] = sender.seed
        return {
            run: Expected(
                seeds[run],
                frozenset(must[run]),
                frozenset(may.get(run, ())),
                frozenset(pictures.get(run, ())),
            )
            for run in must
        }

    def _start_loads(self) -> list[threading.Thread]:
        steps = int(self.seconds * 100)
        for number in range(3):
            self._train(f"sdk-{number}", seed=number + 1, first=0, steps=steps, stride=1)
        # Two processes write into one run, and a raw sender into the same run's other steps.
        self._train("shared", seed=50, first=0, steps=steps, stride=3)
        self._train("shared", seed=50, first=1, steps=steps, stride=3)
        self._wait_logging()
        chaos = random.Random(self.seed + 2)
        for number, (run, first, stride, seed) in enumerate([("raw", 0, 1, 60), ("shared", 2, 3, 50)]):
            self.senders.append(
                RawSender(
                    self.stack.ingest_url,
                    self.stack.api_key,
                    run,
                    seed,
                    random.Random(chaos.random() + number),
                    first,
                    stride,
                )
            )
        threads = [
            threading.Thread(target=self._send, args=(sender,), daemon=True) for sender in self.senders
        ]
        for thread in threads:
            thread.start()
        return threads

    def _wait_logging(self) -> None:
        """Faults begin when every training process logs; how one starts is tested by the SDK's tests."""
        deadline = time.monotonic() + 60
        while not all(returned_steps(trainer.folder) for trainer in self.trainers):
            if time.monotonic() > deadline:
                raise TimeoutError("a training process did not begin to log within 60 s")
            time.sleep(0.05)

    def _send(self, sender: RawSender) -> None:
        try:
            sender.start()
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                sender.send(5)
                time.sleep(0.02)
        except BaseException as error:  # noqa: BLE001 - told to the main thread, which fails the campaign
            self.failures.append(error)

    def _train(self, run: str, seed: int, first: int, steps: int, stride: int) -> None:
        folder = self.folder / f"trainer-{len(self.trainers)}"
        folder.mkdir(parents=True)
        arguments = [run, seed, first, steps, stride, 0.005, folder]
        environment = {
            **os.environ,
            "RUNHUE_BASE_URL": self.stack.api_url,
            "RUNHUE_API_KEY": self.stack.api_key,
        }
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.trainer", *map(str, arguments)],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.trainers.append(Trainer(run, seed, first, steps, stride, folder, process))

    def _strike_all(self, faults: list[Fault]) -> None:
        start = time.monotonic()
        for fault in faults:
            time.sleep(max(0.0, start + fault.at - time.monotonic()))
            strike(fault, self.stack, self._kill_trainer)
            self.faults.append(fault)

    def _kill_trainer(self) -> None:
        alive = [trainer for trainer in self.trainers if trainer.process.poll() is None]
        if alive:
            killed = self._random.choice(alive)
            killed.process.send_signal(signal.SIGKILL)
            # The run goes on in a new process, at steps that the killed one was never to reach.
            beyond = killed.first + killed.steps * killed.stride * (1 + len(self.trainers))
            self._train(killed.run, killed.seed, first=beyond, steps=200, stride=killed.stride)

    def _recover(self) -> None:
        settings = runhue.Settings(base_url=self.stack.api_url, api_key=self.stack.api_key)
        for trainer in self.trainers:
            left = sync(trainer.folder, settings=settings)
            assert all(spool.done for spool in left), f"{trainer.run} could not be recovered: {left}"

    def _check_dead_letters(self) -> None:
        for sender in self.senders:
            found = self._checker.dead_letters(sender.run)
            wanted = sum(other.poisoned for other in self.senders if other.run == sender.run)
            assert found == wanted, f"{sender.run}: {found} dead letters for {wanted} poisoned batches"
