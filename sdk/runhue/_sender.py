"""The thread that sends a living process's spool while training goes on."""

import random
import threading
import time
from collections.abc import Callable

from runhue._delivery import Delivery
from runhue._errors import RunhueError, ServerBusy, ServerError, ServerUnreachable
from runhue._settings import Settings
from runhue._spool import Spool
from runhue._transport import Transport
from runhue_shared.events import StartWriter, WriterStarted

HEARTBEAT_SECONDS = 30.0
COALESCE_SECONDS = 0.005
FIRST_DELAY = 0.25
LONGEST_DELAY = 30.0
LONGEST_ASKED = 300.0
HURRIED_DELAY = 1.0
"""While `finish()` waits, which is for less than the longest delay."""


class Backoff:
    """Growing delays with jitter: half to all of 0.25 s, 0.5 s, ... 30 s."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """The last attempt worked."""
        self._failures = 0

    def delay(self, error: ServerError, longest: float = LONGEST_DELAY) -> float:
        """Seconds to wait after one more failure; at least what the server asked for, up to 5 minutes."""
        grown: float = min(longest, FIRST_DELAY * 2 ** min(self._failures, 10))
        self._failures += 1
        asked = error.retry_after if isinstance(error, ServerBusy) else None
        jittered = grown * random.uniform(0.5, 1)  # noqa: S311  # spreads load, keeps no secret
        return max(jittered, min(asked or 0.0, LONGEST_ASKED))


class Sender:
    """Owns one daemon thread, its HTTP client and its end of the spool.

    `introduced` is set once the server has answered `StartWriter` or will not: then `started` or
    `failure` says which; while `is_awaited`, whoever waits for it says so. `done` is set when the
    finish record is durable, or nothing more will be sent.
    """

    def __init__(
        self, spool: Spool, start: StartWriter, settings: Settings, warn: Callable[[str], None]
    ) -> None:
        self.introduced = threading.Event()
        self.done = threading.Event()
        self.is_awaited = False
        self.started: WriterStarted | None = None
        self.failure: ServerError | None = None
        self.last_fault: ServerError | None = None
        self.last_contact = time.monotonic()
        self.on_stop_requested: Callable[[], None] | None = None
        self._spool = spool
        self._start = start
        self._settings = settings
        self._warn = warn
        self._woken = threading.Event()
        self._hurry = False
        self._stopping = False
        self._delivery: Delivery | None = None
        spool.wake = self._woken.set
        self._thread = threading.Thread(target=self._run, name="runhue-sender", daemon=True)

    def launch(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def durable_seq(self) -> int:
        """The last seq that the server has stored, -1 for none."""
        return self._delivery.durable_seq if self._delivery else -1

    @property
    def is_complete(self) -> bool:
        """True when the server has everything up to the finish record."""
        return self._delivery is not None and self._delivery.finish_sent

    def hurry(self) -> None:
        """Send without waiting for the flush interval from now on."""
        self._hurry = True
        self._woken.set()

    def stop(self, timeout: float = 0.0) -> None:
        """Send nothing more after the request under way."""
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            transport = Transport(self._settings.base_url, self._settings.api_key, self._settings.ingest_url)
            self._delivery = Delivery(self._spool.folder, self._start, transport, self._warn)
            self._send_all(self._delivery)
            self._delivery.close()
            transport.close()
        except Exception as error:  # noqa: BLE001  # a key or proxy setting that HTTP cannot take must not stop training
            self._give_up(ServerError(f"{self._settings.base_url} cannot be asked: {error}"))
        finally:
            self.done.set()
            self.introduced.set()

    def _send_all(self, delivery: Delivery) -> None:
        backoff = Backoff()
        while not self._stopping and not delivery.finish_sent:
            try:
                sent = self._send_some(delivery)
            except (ServerUnreachable, ServerBusy) as fault:
                self._note_fault(fault)
                self._wait(backoff.delay(fault, HURRIED_DELAY if self._hurry else LONGEST_DELAY))
            except RunhueError as refusal:
                self._give_up(refusal)
                return
            except Exception as error:  # noqa: BLE001  # the thread must outlive its own bugs: the spool keeps the data
                self._note_fault(ServerError(f"sending failed: {type(error).__name__}: {error}"))
                self._wait(backoff.delay(ServerError("sending failed")))
            else:
                backoff.reset()
                self._rest(delivery, sent)

    def _send_some(self, delivery: Delivery) -> bool:
        if delivery.started is None:
            self.started = delivery.begin()
            self._note_contact(delivery)
            self.introduced.set()
        sent = delivery.deliver(self._spool.written_seq)
        if not sent and time.monotonic() - self.last_contact < HEARTBEAT_SECONDS:
            return False
        if not sent:
            delivery.heartbeat()
        self._note_contact(delivery)
        return sent

    def _rest(self, delivery: Delivery, sent: bool) -> None:
        """Leave the flush interval between batches; then sleep until there is something to send."""
        if delivery.finish_sent or (sent and delivery.is_behind):
            return
        if sent and not self._hurry:
            self._wait(delivery.flush_interval)
        self._spool.reader_waits = True
        if self._spool.written_seq - 1 > delivery.durable_seq or self._stopping:
            self._spool.reader_waits = False
            return
        self._woken.wait(HEARTBEAT_SECONDS)
        self._woken.clear()
        self._spool.reader_waits = False
        if not self._hurry:
            time.sleep(COALESCE_SECONDS)

    def _wait(self, seconds: float) -> None:
        if not self._hurry or seconds > 1:
            self._woken.wait(seconds)
        else:
            time.sleep(seconds)
        self._woken.clear()

    def _note_contact(self, delivery: Delivery) -> None:
        self.last_contact = time.monotonic()
        if self.last_fault is not None:
            self._warn(f"connected to {self._settings.base_url} again; sending what waits")
            self.last_fault = None
        if delivery.stop_requested and self.on_stop_requested:
            self.on_stop_requested()
            self.on_stop_requested = None

    def _note_fault(self, fault: ServerError) -> None:
        if self.last_fault is None and self.is_awaited and self._start.resume in {"allow", "must"}:
            self._warn(f"{fault}; trying again")
        elif self.last_fault is None and not self.is_awaited:
            self._warn(f"{fault}; logging goes on, the data are kept in {self._spool.folder} and sent later")
        self.last_fault = fault

    def _give_up(self, refusal: RunhueError) -> None:
        self.failure = refusal if isinstance(refusal, ServerError) else ServerError(str(refusal))
        if not self.is_awaited:
            self._warn(f"{refusal}; logging goes on offline, the data are kept in {self._spool.folder}")
