"""The thread that looks at the process: its metadata once, system metrics every few seconds."""

import threading
import time

from runhue._errors import RunFinished
from runhue._metadata import surroundings
from runhue._recorder import Recorder
from runhue._records import AttributesChanged, SystemSampled
from runhue._settings import Settings
from runhue._system_metrics import SystemSampler
from runhue._values import plain

STOP_SECONDS = 2.5


class Surroundings:
    """Records metadata and samples until `stop`."""

    def __init__(self, recorder: Recorder, settings: Settings) -> None:
        self._recorder = recorder
        self._settings = settings
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, if the settings ask for any of it."""
        if self._settings.metadata or self._settings.system_metrics_interval > 0:
            self._thread = threading.Thread(target=self._run, name="runhue-surroundings", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End; waits a moment for metadata under way."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            if self._settings.metadata:
                metadata = plain(surroundings(), "metadata", lenient=True)
                self._recorder.record(AttributesChanged({"metadata": metadata}))
            if self._settings.system_metrics_interval > 0:
                self._sample()
        except RunFinished:
            return

    def _sample(self) -> None:
        sampler = SystemSampler()
        while not self._stopping.wait(self._settings.system_metrics_interval):
            self._recorder.record(SystemSampled(int(time.time() * 1000), sampler.sample()))
