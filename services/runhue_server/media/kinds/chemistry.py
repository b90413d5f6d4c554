"""What the readers of molecules share."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from runhue_server.media.contract import Refused
from runhue_server.media.kinds.first_bytes import shown


class Counts(NamedTuple):
    """Atoms and bonds of the first model, and models; None where the file does not tell."""

    atoms: int
    bonds: int | None
    models: int | None


Reader = Callable[[bytes, str], Counts]
"""From the file's bytes and its format. Raises `Refused`."""


def not_a_molecule(format_: str, found: str) -> Refused:
    """To raise when the bytes are not what the ending says."""
    return Refused("not_a_molecule", f"A molecule in {format_} was expected, found {found}.")


def lines_of(content: bytes) -> Iterator[bytes]:
    """Lines without their ends, one after the other; any of the three kinds of line ends."""
    start = 0
    content = content if b"\n" in content else content.replace(b"\r", b"\n")
    while start < len(content):
        end = content.find(b"\n", start)
        end = len(content) if end < 0 else end
        yield content[start:end].rstrip(b"\r")
        start = end + 1


def words(line: bytes) -> str:
    """A line as it may stand in a reason."""
    return repr(shown(line.decode("utf-8", "replace"), 60))
