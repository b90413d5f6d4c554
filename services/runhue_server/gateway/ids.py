"""Global ids: base64 of a kind and the number of a row, as `Run:12`. Clients keep them and give them back."""

import base64
import binascii

LONGEST = 100
LARGEST = 2**63 - 1


def encode(kind: str, number: int) -> str:
    """The id of row `number` of `kind` ('Run', 'Project', 'Team', 'File', 'Artifact', ...)."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def decode(kind: str, text: object) -> int | None:
    """The number in an id of `kind`; None for an id of another kind and for anything else."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return None
    try:
        plain = base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    found, _, number = plain.partition(":")
    if found != kind or not number.isdigit() or int(number) > LARGEST:
        return None
    return int(number)


def cursor_of(place: str) -> str:
    """A cursor that says where a list goes on: behind `place`."""
    return base64.b64encode(place.encode()).decode()


def place_of(cursor: object) -> str | None:
    """What `cursor_of` was given; None for anything else."""
    if not isinstance(cursor, str):
        return None
    try:
        place = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return None if "\0" in place else place
