"""What the SDK says on stderr: one prefix, each warning once, nothing when silent."""

import sys


class Terminal:
    """Speaks for one run. `silent` keeps quiet altogether."""

    def __init__(self, silent: bool = False) -> None:
        self._silent = silent
        self._warned: set[str] = set()

    def say(self, text: str) -> None:
        """One line for the user."""
        stream = sys.stderr
        if self._silent or stream is None:
            return
        try:
            stream.write(f"runhue: {text}\n")
            stream.flush()
        except (OSError, ValueError):
            self._silent = True  # a closed stderr must not stop training
        except RuntimeError:
            return  # a signal handler may find itself inside a write to the same stream

    def warn(self, text: str) -> None:
        """One line, said once."""
        if text not in self._warned:
            self._warned.add(text)
            self.say(f"warning: {text}")
