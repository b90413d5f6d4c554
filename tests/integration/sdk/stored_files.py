"""What the server has of a run's files, read from its tables and its store."""

import hashlib
from dataclasses import dataclass

from runhue_shared import db


@dataclass(frozen=True)
class StoredFile:
    """Hash and size as the row of the file says."""

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> "StoredFile":
        return cls(hashlib.sha256(content).hexdigest(), len(content))


def stored_files(run: str) -> dict[str, StoredFile]:
    """Files of a run by path."""
    with db.transaction() as tx:
        rows = tx.execute(
            "SELECT path, sha256, size FROM run_file JOIN run ON run.id = run_file.run_id"
            " WHERE run.public_id = %s ORDER BY path",
            (run,),
        ).fetchall()
    return {path: StoredFile(bytes(sha256).hex(), size) for path, sha256, size in rows}


def stored_blobs() -> int:
    """How many different contents the server has."""
    with db.transaction() as tx:
        return int(tx.execute("SELECT count(*) FROM blob").fetchall()[0][0])
