"""Tables of runs as the media worker leaves them: file, inspection and renditions."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runhue_server.media.contract import Refused, Source, Workshop
from runhue_server.media.kinds.tables import inspect_table
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.db import blobs, inspections, run_files
from runhue_shared.db.blobs import Blob
from runhue_shared.db.inspections import Made, Waiting
from runhue_shared.media_kinds import Claim


def keep(team_id: int, content: bytes) -> Blob:
    """Store bytes, and note that they are stored."""
    store = blob_store()
    with Spool(store.spool_directory) as spool:
        spool.write(content)
        blob = Blob(*store.keep(team_id, spool))
    with db.transaction() as tx:
        blobs.insert(tx, team_id, blob)
    return blob


def table_bytes(columns: Sequence[Any], data: Sequence[Any]) -> bytes:
    return json.dumps({"columns": list(columns), "data": list(data)}).encode()


def add_file(
    team_id: int, run_id: int, path: str, content: bytes, mimetype: str = "application/json"
) -> Blob:
    """A file of a run."""
    blob = keep(team_id, content)
    with db.transaction() as tx:
        assert run_files.put(tx, team_id, run_id, path, blob, mimetype)
    return blob


def value_of(path: str, content: bytes, **more: Any) -> dict[str, Any]:
    """What history has for a table."""
    return {
        "_type": "table-file",
        "path": path,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        **more,
    }


def inspect(team_id: int, sha256: bytes) -> None:
    """Look at a table's bytes, as the media worker does."""
    content = b"".join(blob_store().read(team_id, sha256))
    job = Waiting(team_id, sha256, "table", "json", 1, len(content))
    with db.transaction() as tx:
        inspections.want(tx, team_id, [(sha256, Claim("table", "json"))])
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bytes"
        path.write_bytes(content)
        workshop = Workshop(Path(name))
        try:
            facts = inspect_table(Source(path, "json", len(content)), workshop)
        except Refused as refused:
            with db.transaction() as tx:
                inspections.refuse(tx, job, refused.code, refused.reason)
            return
        made = [
            Made(name_, (blob := keep(team_id, (Path(name) / file).read_bytes())).sha256, blob.size, mimetype)
            for name_, (file, mimetype) in workshop.made.items()
        ]
    with db.transaction() as tx:
        inspections.finish(tx, job, json.dumps(facts), made)
