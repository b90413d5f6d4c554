"""Files of a run, and what the media worker would say of them."""

import hashlib
import json
from typing import Any

import httpx

from runhue_shared import db
from runhue_shared.db import inspections
from runhue_shared.db.inspections import Made, Waiting
from runhue_shared.media_kinds import Claim
from tests.integration.api.stored import Stored


class RunMedia:
    """Media files of one run of a project."""

    def __init__(self, api: httpx.Client, project: Stored, run: str) -> None:
        self._api = api
        self._team = project.team.id
        self._files = f"{project.url}/runs/{run}/files"

    def put(self, path: str, content: bytes) -> str:
        """Put a file; returns its SHA-256 in hex."""
        assert self._api.put(f"{self._files}/{path}", content=content).status_code == 200
        return hashlib.sha256(content).hexdigest()

    def found(self, content: bytes, kind: Any, facts: dict[str, Any], **made: tuple[str, bytes]) -> None:
        """Facts and renditions, (MIME type, bytes) by name."""
        for name, (_, body) in made.items():
            self.put(f"made/{name}", body)
        renditions = [
            Made(name, hashlib.sha256(body).digest(), len(body), mimetype)
            for name, (mimetype, body) in made.items()
        ]
        job = self._waiting(content, kind)
        with db.transaction() as tx:
            assert inspections.finish(tx, job, json.dumps(facts), renditions)

    def refused(self, content: bytes, kind: Any, code: str, reason: str) -> None:
        """Bytes that are not shown."""
        job = self._waiting(content, kind)
        with db.transaction() as tx:
            assert inspections.refuse(tx, job, code, reason)

    def _waiting(self, content: bytes, kind: Any) -> Waiting:
        sha256 = hashlib.sha256(content).digest()
        with db.transaction() as tx:
            inspections.want(tx, self._team, [(sha256, Claim(kind, "png"))])
        return Waiting(self._team, sha256, kind, "png", 1, len(content))
