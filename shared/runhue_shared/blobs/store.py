"""What a store of bytes can do, and why it refuses. Everything here blocks: call it in threads."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from runhue_shared.blobs.spool import Spool

READ_BYTES = 512 * 1024
"""How much of a blob is in memory at once while it is read."""


class Expected(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of bytes before they come; None is unknown. `md5` has 16 bytes, `sha256` 32."""

    md5: bytes | None = None
    sha256: bytes | None = None
    size: int | None = None


ANYTHING = Expected()


class StoredBlob(NamedTuple):
    """Bytes that are in the store, with the hashes that we computed of them."""

    sha256: bytes
    md5: bytes
    size: int


class ListedBlob(NamedTuple):
    """Bytes that a store holds: SHA-256 (32 bytes), size, and for how many seconds they have been there."""

    team_id: int
    sha256: bytes
    size: int
    age: float


class WrongBytes(Exception):
    """The bytes are not the expected ones. `field` is size, md5 or sha256."""

    def __init__(self, field: str, expected: str, found: str) -> None:
        super().__init__(f"the bytes have {field} {found}, expected was {expected}")
        self.field = field
        self.expected = expected
        self.found = found


class TooManyBytes(Exception):
    """There are more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"there are more than {limit} bytes")
        self.limit = limit


class BytesMissing(Exception):
    """The store has nothing there: an upload that did not come yet, or bytes that somebody removed."""


class StoreAway(Exception):
    """The store cannot take or give bytes right now: it is full or not reachable. The same may work later."""


class BlobStore(Protocol):
    """Bytes of teams, addressed by their SHA-256.

    A blob is there whole or not at all, and stays once a method that stored it returned, whatever crashes
    then. Two that store the same bytes at once both succeed. Every method may raise `StoreAway`.
    """

    spool_directory: Path
    """Where bytes wait while they come in and are hashed."""

    direct: bool
    """Whether clients put and get bytes at the store itself, by signed addresses."""

    def keep(self, team_id: int, spool: Spool, expected: Expected = ANYTHING) -> StoredBlob:
        """Make the bytes of a whole spool durable; the spool is closed then.

        Raises:
            WrongBytes: they are not the expected ones; nothing is stored.
        """

    def read(self, team_id: int, sha256: bytes, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes from `start` to before `end` in pieces of about `READ_BYTES`. It opens with the first piece.

        Raises:
            BytesMissing: there is no such blob.
        """

    def holds(self, team_id: int, sha256: bytes) -> bool:
        """Whether the blob is there."""

    def listing(self) -> Iterator[ListedBlob]:
        """Every blob that is there, in no order; what comes or goes meanwhile may be missed."""

    def delete(self, team_id: int, sha256: bytes) -> None:
        """Forget a blob that no row names; also when it is not there."""

    def sign_get(self, team_id: int, sha256: bytes, seconds: int) -> str | None:
        """An address at which anybody reads the blob for that long; None when not `direct`."""

    def sign_puts(self, keys: list[str], seconds: int) -> list[str] | None:
        """Addresses to which bytes may be put directly, to be adopted by key; None when not `direct`."""

    def adopt(self, team_id: int, key: str, max_bytes: int, expected: Expected = ANYTHING) -> StoredBlob:
        """Hash what was put under `key` and make it a blob. `discard` the key once rows name the blob.

        Raises:
            BytesMissing: nothing was put there (yet), or it was discarded.
            WrongBytes, TooManyBytes: it cannot be kept.
        """

    def discard(self, key: str) -> None:
        """Throw away what was put under `key`, if anything."""

    def arrived(self, folder: str, seconds: float | None = None) -> list[str]:
        """Keys below `folder` under which something was put, at least that long ago, and is still there."""

    def forget_left_over(self, seconds: float) -> None:
        """Throw away what uploads that ended in a crash left behind, when it is older than that."""


def check(found: StoredBlob, expected: Expected) -> None:
    """Compare bytes with what they should be.

    Raises:
        WrongBytes: names the first of size, md5 and sha256 that differs.
    """
    if expected.size is not None and expected.size != found.size:
        raise WrongBytes("size", str(expected.size), str(found.size))
    for field, wanted, computed in (
        ("md5", expected.md5, found.md5),
        ("sha256", expected.sha256, found.sha256),
    ):
        if wanted is not None and wanted != computed:
            raise WrongBytes(field, wanted.hex(), computed.hex())
