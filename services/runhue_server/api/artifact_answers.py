"""Stored artifacts in the words of the API."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from runhue_server.api.answers import decode_document, seconds
from runhue_server.storage import tokens
from runhue_server.storage.file_names import type_of
from runhue_shared.db import Transaction, artifact_versions, artifacts
from runhue_shared.db.artifact_collections import Collection
from runhue_shared.db.artifact_files import File, Reference
from runhue_shared.db.artifact_versions import Member
from runhue_shared.db.artifacts import Artifact
from runhue_shared.settings import settings

JsonObject = dict[str, Any]  # an answer, or a part of one


def collection_answer(found: Collection) -> JsonObject:
    """An `ArtifactCollection`."""
    return {
        "name": found.name,
        "type": found.type,
        "kind": found.kind,
        "description": found.description,
        "tags": found.tags,
        "versions": found.versions,
        "created_at": seconds(found.created_at),
        "updated_at": seconds(found.updated_at),
    }


def version_answers(tx: Transaction, home: Collection, members: Sequence[Member]) -> list[JsonObject]:
    """An `ArtifactVersion` each, of versions of one collection."""
    found = artifacts.artifacts(tx, [member.artifact_id for member in members])
    aliases = artifact_versions.aliases_of(tx, list(found))
    return [
        _version(
            found[member.artifact_id],
            home.name,
            member.version,
            [one.alias for one in aliases[member.artifact_id] if one.collection_id == home.id],
        )
        for member in members
    ]


def logged_answers(tx: Transaction, found: Sequence[Artifact]) -> list[JsonObject]:
    """An `ArtifactVersion` each, under the names that they were logged to."""
    aliases = artifact_versions.aliases_of(tx, [one.id for one in found])
    return [
        _version(
            one,
            one.collection,
            one.version or 0,
            [alias.alias for alias in aliases[one.id] if alias.collection_id == one.collection_id],
        )
        for one in found
    ]


def _version(found: Artifact, collection: str, version: int, aliases: list[str]) -> JsonObject:
    return {
        "collection": collection,
        "type": found.type,
        "version": version,
        "aliases": aliases,
        "digest": found.digest,
        "size": found.size,
        "file_count": found.file_count,
        "description": found.description,
        "metadata": _metadata(found.metadata),
        "tags": found.tags,
        "ttl_seconds": found.ttl_seconds if found.ttl_seconds > 0 else None,
        "source": {
            "team": found.team,
            "project": found.project,
            "collection": found.collection,
            "version": found.version or 0,
            "run": found.run,
        },
        "created_at": seconds(found.created_at),
        "updated_at": seconds(found.updated_at),
    }


def _metadata(text: str | None) -> Any:  # JSON, or the text that was to be JSON
    try:
        return None if text is None else decode_document(text)
    except (ValueError, RecursionError):
        return text


def file_answer(team_id: int, file: File | Reference) -> JsonObject:
    """An `ArtifactFile`."""
    mimetype = type_of(file.path)
    if isinstance(file, Reference):
        hashes: JsonObject = {"sha256": None, "md5": None, "reference": file.address, "url": None}
    else:
        name = file.path.rsplit("/", 1)[-1]
        prefix = urlsplit(settings().public_url).path.rstrip("/")
        hashes = {
            "sha256": file.sha256.hex(),
            "md5": file.md5.hex(),
            "reference": None,
            "url": prefix + tokens.get_path(team_id, file.sha256, file.size, name, mimetype),
        }
    return {"path": file.path, "size": file.size, "mimetype": mimetype, **hashes}
