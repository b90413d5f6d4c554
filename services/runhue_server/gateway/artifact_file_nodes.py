"""Files of artifacts as GraphQL clients list and download them."""

import base64
from collections.abc import Sequence

from runhue_server.gateway import ids
from runhue_server.gateway.artifact_nodes import FIELDS, Json, moment, page, page_size
from runhue_server.gateway.context import Context
from runhue_server.storage import tokens
from runhue_server.storage.file_names import type_of
from runhue_shared import db
from runhue_shared.db import artifact_files
from runhue_shared.db.artifact_files import File, Reference
from runhue_shared.db.artifacts import Artifact

FILES_PAGE = 50


def file_node(context: Context, owner: Artifact, file: File | Reference) -> Json:
    """The fields of `File`; the addresses of one that is here carry their own permission."""
    node: Json = {
        "__typename": "File",
        "id": base64.b64encode(f"ArtifactFile:{owner.id}:{file.path}".encode()).decode(),
        "name": file.path,
        "displayName": file.path,
        "sizeBytes": file.size,
        "mimetype": type_of(file.path),
        "updatedAt": moment(owner.updated_at),
        "artifact": {"id": ids.encode("Artifact", owner.id)},
    }
    if isinstance(file, Reference):
        return {**node, "url": file.address, "directUrl": file.address}
    name = file.path.rsplit("/", 1)[-1]
    path = tokens.get_path(owner.team_id, file.sha256, file.size, name, node["mimetype"])
    md5 = base64.b64encode(file.md5).decode()
    return {
        **node,
        "url": context.base_url + path,
        "directUrl": context.base_url + path,
        "md5": md5,
        "digest": md5,
        "storagePath": storage_path(file.md5),
    }


def storage_path(md5: bytes) -> str:
    """What clients keep as the place of a file's bytes."""
    return f"wandb_artifacts/{md5.hex()}"


@FIELDS.answers("Artifact", "files")
@FIELDS.answers("ArtifactCollectionMembership", "files")
def files(
    source: Json,
    context: Context,
    names: Sequence[str] | None = None,
    after: str | None = None,
    first: int | None = None,
) -> Json:
    """The files by path. References are among them: a client goes through this list to fetch them, too."""
    owner: Artifact = source["_artifact"]
    size = page_size(first, FILES_PAGE)
    with db.transaction() as tx:
        found = artifact_files.files_page(tx, owner.id, size + 1, after or "", names or None)
        total = artifact_files.count_files(tx, owner.id, names or None)
    edges = [{"node": file_node(context, owner, file), "cursor": file.path} for file in found[:size]]
    return page(edges, more=len(found) > size, total=total)


@FIELDS.answers("Artifact", "filesByManifestEntries")
def files_of_entries(
    source: Json,
    context: Context,
    entries: Sequence[Json] | None = None,
    storageLayout: str | None = None,  # noqa: ARG001, N803  # the wire's
    manifestVersion: str | None = None,  # noqa: ARG001, N803  # the wire's
    storageRegion: str | None = None,  # noqa: ARG001, N803  # the wire's
) -> Json:
    """The files at the paths of these entries, in their order; one that is not there is left out."""
    owner: Artifact = source["_artifact"]
    names = [str(entry.get("name")) for entry in entries or ()]
    with db.transaction() as tx:
        found = artifact_files.files_page(tx, owner.id, len(names), "", names)
    by_path = {file.path: file for file in found}
    listed = [by_path[name] for name in names if name in by_path]
    edges = [{"node": file_node(context, owner, file), "cursor": file.path} for file in listed]
    return page(edges, more=False, total=len(edges))
