"""How an artifact gets its content: a manifest, its files, and the commit that makes it a version."""

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence

from runhue_server.gateway import artifact_manifests, ids
from runhue_server.gateway.artifact_file_nodes import storage_path
from runhue_server.gateway.artifact_manifests import Manifest, few
from runhue_server.gateway.artifact_nodes import (
    FIELDS,
    MANIFEST_NAME,
    Json,
    artifact_nodes,
    needed_artifact,
    reached_artifact,
)
from runhue_server.gateway.context import Context
from runhue_server.storage import uploads
from runhue_server.storage.inspecting import have_inspected
from runhue_server.storage.problems import store_answers
from runhue_server.storage.targets import ArtifactFileAt, ArtifactManifestAt, note_stored
from runhue_server.storage.uploads import Upload
from runhue_server.web.problems import Invalid, NotFound, Unavailable
from runhue_shared import db
from runhue_shared.blobs.configured import blob_store
from runhue_shared.blobs.spool import Spool
from runhue_shared.blobs.store import ANYTHING, Expected, StoredBlob
from runhue_shared.db import (
    Transaction,
    artifact_collections,
    artifact_files,
    artifact_versions,
    artifacts,
    blobs,
    direct_uploads,
)
from runhue_shared.db.artifact_files import MD5_BYTES, File, Reference
from runhue_shared.db.artifact_files import Manifest as StoredManifest
from runhue_shared.db.artifacts import Artifact
from runhue_shared.db.blobs import Blob
from runhue_shared.settings import MEBIBYTE

LONGEST_PATH = 4096
MOST_MANIFEST_BYTES = 256 * MEBIBYTE
"""Of a manifest with a million files; it is read whole."""

MOST_FILES = 10_000
"""Files in one request; clients send up to 1,000."""


class NotStored(Invalid):
    """Bytes that an artifact needs have not come, and nobody is bringing them."""

    code = "artifact_incomplete"


def owner_of(artifact_id: int) -> str:
    """The owner of an artifact's uploads, by its row."""
    return f"artifact:{artifact_id}"


@FIELDS.answers("Mutation", "createArtifactManifest")
def create_manifest(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Where the artifact's list of files can be put. Asked again, a whole or incremental one is the same."""
    given = input or {}
    with db.transaction() as tx:
        owner = needed_artifact(tx, context, given.get("artifactID"))
        base = reached_artifact(tx, context, given.get("baseArtifactID"))
        manifest = artifact_files.open_manifest(
            tx,
            owner.team_id,
            owner.id,
            given.get("type") or "FULL",
            None if base is None else base.id,
            given.get("digest") or "",
        )
    return {"artifactManifest": _announced(context, manifest, given.get("digest"))}


@FIELDS.answers("Mutation", "updateArtifactManifest")
def update_manifest(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """As `create_manifest`, of a list that was announced before."""
    given = input or {}
    number = ids.decode("ArtifactManifest", given.get("artifactManifestID"))
    with db.transaction() as tx:
        manifest = None if number is None else artifact_files.manifest(tx, number)
        if manifest is None:
            raise NotFound("the manifest is not there", field="artifactManifestID")
        needed_artifact(tx, context, ids.encode("Artifact", manifest.artifact_id))
        base = reached_artifact(tx, context, given.get("baseArtifactID"))
        artifact_files.change_manifest(
            tx, manifest.id, None if base is None else base.id, given.get("digest")
        )
    return {"artifactManifest": _announced(context, manifest, given.get("digest"))}


def _announced(context: Context, manifest: StoredManifest, digest: str | None) -> Json:
    md5 = _md5(digest)
    expected = ANYTHING if md5 is None else Expected(md5=md5)
    upload = Upload(owner_of(manifest.artifact_id), MANIFEST_NAME, ArtifactManifestAt(manifest.id), expected)
    with store_answers():
        (address,) = uploads.addresses(manifest.team_id, [upload], context.base_url)
    return {
        "id": ids.encode("ArtifactManifest", manifest.id),
        "digest": digest,
        "file": {
            "id": ids.encode("ArtifactManifestFile", manifest.id),
            "name": MANIFEST_NAME,
            "displayName": MANIFEST_NAME,
            "uploadUrl": address,
            "uploadHeaders": [] if md5 is None else [f"Content-MD5:{digest}"],
        },
    }


def _md5(digest: object) -> bytes | None:
    """16 bytes from their base64; None for anything else."""
    try:
        plain = base64.b64decode(str(digest), validate=True)
    except (binascii.Error, ValueError):
        return None
    return plain if len(plain) == MD5_BYTES else None


@FIELDS.answers("Mutation", "createArtifactFiles")
def create_files(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Where each file can be put, in the order asked for; nowhere when its bytes are here already."""
    specs: Sequence[Json] = (input or {}).get("artifactFiles") or ()
    if len(specs) > MOST_FILES:
        raise Invalid(f"{len(specs)} files in one request", field="artifactFiles", limit=MOST_FILES)
    with db.transaction() as tx:
        owners = _owners(tx, context, {spec.get("artifactID") for spec in specs})
        wanted = [(owners[spec.get("artifactID")], *_checked(spec)) for spec in specs]
        known = {owner.id: _known(tx, context, owner, {md5 for _, _, md5 in wanted}) for owner, *_ in wanted}
        for owner in owners.values():
            here = {
                path: File(path, md5, *known[owner.id][md5])
                for of, path, md5 in wanted
                if of.id == owner.id and md5 in known[owner.id]
            }
            artifact_files.keep_files(tx, owner.team_id, owner.id, list(here.values()))
    missing = [(owner, path, md5) for owner, path, md5 in wanted if md5 not in known[owner.id]]
    addresses = iter(_addresses(context, missing))
    nodes = [
        _file_node(owner, path, md5, None if md5 in known[owner.id] else next(addresses))
        for owner, path, md5 in wanted
    ]
    return {"files": {"edges": [{"node": node, "cursor": node["name"]} for node in nodes]}}


def _owners(tx: Transaction, context: Context, given: Collection[object]) -> dict[object, Artifact]:
    return {one: needed_artifact(tx, context, one) for one in given}


def _checked(spec: Mapping[str, object]) -> tuple[str, bytes]:
    """(path, MD5) of a file that is to come."""
    path, md5 = str(spec.get("name") or ""), _md5(spec.get("md5"))
    if not 1 <= len(path) <= LONGEST_PATH:
        raise Invalid(
            f"a file's name must have 1 to {LONGEST_PATH} characters, got {len(path)}",
            field="name",
            limit=LONGEST_PATH,
        )
    if md5 is None:
        raise Invalid(f"md5 of {path!r} must be 16 bytes in base64, got {spec.get('md5')!r}", field="md5")
    return path, md5


def _known(
    tx: Transaction, context: Context, owner: Artifact, md5s: Collection[bytes]
) -> dict[bytes, tuple[bytes, int]]:
    """(SHA-256, size) by MD5, of those bytes that are here and that the key may know of."""
    if context.principal.project_id is None:
        return {
            md5: (blob.sha256, blob.size) for md5, blob in blobs.find_by_md5(tx, owner.team_id, md5s).items()
        }
    files = artifact_files.known_by_md5(tx, owner.team_id, owner.project_id, md5s)
    return {md5: (file.sha256, file.size) for md5, file in files.items()}


def _addresses(context: Context, missing: Sequence[tuple[Artifact, str, bytes]]) -> Iterable[str]:
    by_team: dict[int, list[Upload]] = {}
    for owner, path, md5 in missing:
        target = ArtifactFileAt(owner.id, path)
        by_team.setdefault(owner.team_id, []).append(
            Upload(owner_of(owner.id), path, target, Expected(md5=md5))
        )
    with store_answers():
        found = {
            team: iter(uploads.addresses(team, listed, context.base_url)) for team, listed in by_team.items()
        }
    return [next(found[owner.team_id]) for owner, _, _ in missing]


def _file_node(owner: Artifact, path: str, md5: bytes, address: str | None) -> Json:
    return {
        "id": base64.b64encode(f"ArtifactFile:{owner.id}:{path}".encode()).decode(),
        "name": path,
        "displayName": path,
        "storagePath": storage_path(md5),
        "uploadUrl": address,
        "uploadHeaders": [f"Content-MD5:{base64.b64encode(md5).decode()}"],
        "uploadMultipartUrls": None,
        "artifact": {"id": ids.encode("Artifact", owner.id)},
    }


@FIELDS.answers("Mutation", "commitArtifact")
def commit(_source: None, context: Context, input: Json | None = None) -> Json:  # noqa: A002  # the wire's
    """Make the artifact the newest version of its sequence, once all that it lists is here. Idempotent."""
    with db.transaction() as tx:
        owner = needed_artifact(tx, context, (input or {}).get("artifactID"))
    if owner.state == "PENDING":
        _commit(context, owner)
    with db.transaction() as tx:
        found = artifacts.artifacts(tx, [owner.id])
        return {"artifact": artifact_nodes(tx, context, found.values())[0]}


def _commit(context: Context, owner: Artifact) -> None:
    with store_answers():
        arriving = _take_over(owner)
        manifest, body = _content(owner)
        with db.transaction() as tx:
            files, missing = _resolved(tx, context, owner, manifest)
        if missing:
            raise _incomplete(owner, missing, arriving=arriving)
        _store(owner, manifest, body, files)


def _take_over(owner: Artifact) -> bool:
    """Adopt what was put directly at the object store; whether there is more of it than one request takes."""
    with db.transaction() as tx:
        waiting = direct_uploads.of_owner(tx, owner.team_id, owner_of(owner.id))
    if not waiting:
        return False
    uploads.adopt(owner.team_id, owner_of(owner.id))
    with db.transaction() as tx:
        left = direct_uploads.of_owner(tx, owner.team_id, owner_of(owner.id))
    return 0 < len(left) < len(waiting)


def _incomplete(owner: Artifact, missing: Collection[str], *, arriving: bool) -> Exception:
    if arriving:
        return Unavailable(f"the files of {owner.collection} are being checked")
    return NotStored(
        f"{len(missing)} files of {owner.collection} are not stored: {few(missing)}",
        field="artifactID",
        fix="upload them, then commit again",
    )


def _content(owner: Artifact) -> tuple[Manifest, Blob | None]:
    """(what the artifact lists, the stored text of that; None when it is put together from several)."""
    with db.transaction() as tx:
        stored = artifact_files.manifests_of(tx, owner.id)
        whole = next((one for one in reversed(stored) if one.kind == "FULL"), None)
        if whole is not None and whole.body is not None:
            return _read(owner.team_id, whole.body), blobs.find(tx, owner.team_id, whole.body)
        below = [base for one in stored if (base := _base(tx, owner, one)) is not None]
    parts = [_read(base.team_id, base.manifest) for base in below if base.manifest is not None]
    parts += [_read(owner.team_id, one.body) for one in stored if one.body is not None]
    if not parts:
        raise NotStored(
            f"the manifest of {owner.collection} is not stored",
            field="artifactID",
            fix="upload it, then commit again",
        )
    return artifact_manifests.merged(parts), None


def _base(tx: Transaction, owner: Artifact, manifest: StoredManifest) -> Artifact | None:
    """What an incremental manifest adds to: what the client says, or the newest version.

    A client that logs two increments at once announces the second before the first is a version.
    """
    if manifest.kind != "INCREMENTAL":
        return None
    number = manifest.base_id or artifact_versions.latest(tx, owner.collection_id)
    return None if number is None else artifacts.artifact(tx, number)


def _read(team_id: int, sha256: bytes) -> Manifest:
    """Raises Invalid: the manifest is larger than any of a client, or none."""
    body = b"".join(blob_store().read(team_id, sha256, 0, MOST_MANIFEST_BYTES + 1))
    if len(body) > MOST_MANIFEST_BYTES:
        raise Invalid(
            f"the manifest has more than {MOST_MANIFEST_BYTES} bytes",
            field="manifest",
            limit=MOST_MANIFEST_BYTES,
            fix="log the files as several artifacts",
        )
    return artifact_manifests.read(body)


def _resolved(
    tx: Transaction, context: Context, owner: Artifact, manifest: Manifest
) -> tuple[list[File], list[str]]:
    """(the listed files with their stored bytes, the paths of those that have none)."""
    uploaded = artifact_files.stored_files(tx, owner.id)
    listed = {path: entry.md5 for path, entry in manifest.files().items()}
    elsewhere = {
        md5 for path, md5 in listed.items() if md5 and (path not in uploaded or uploaded[path].md5 != md5)
    }
    known = _known(tx, context, owner, elsewhere)
    files, missing = [], []
    for path, md5 in listed.items():
        if path in uploaded and uploaded[path].md5 == md5:
            files.append(uploaded[path])
        elif md5 is not None and md5 in known:
            files.append(File(path, md5, *known[md5]))
        else:
            missing.append(path)
    # Only the uploaded ones are named already; the others will be in a later transaction.
    blobs.touch(tx, owner.team_id, {sha256 for sha256, _ in known.values()})
    return files, missing


def _references(manifest: Manifest) -> list[Reference]:
    return [
        Reference(path, entry.ref, entry.size or 0) for path, entry in manifest.entries.items() if entry.ref
    ]


def _store(owner: Artifact, manifest: Manifest, body: Blob | None, files: Sequence[File]) -> None:
    merged = body is None
    if body is None:
        store = blob_store()
        with Spool(store.spool_directory) as spool:
            spool.write(artifact_manifests.written(manifest))
            body = Blob(*store.keep(owner.team_id, spool))
    with db.transaction() as tx:
        artifact_collections.lock(tx, owner.collection_id)
        locked = artifacts.lock_artifact(tx, owner.id)
        if locked is None or locked.state != "PENDING":
            return
        note_stored(tx, owner.team_id, StoredBlob(*body))
        artifact_files.replace_files(tx, owner.team_id, owner.id, files, _references(manifest))
        have_inspected(tx, owner.team_id, [(file.path, file.sha256) for file in files])
        digest = artifact_manifests.digest(manifest) if merged else owner.digest
        artifacts.set_content(tx, owner.id, digest, body.sha256, manifest.size, len(manifest.entries))
        artifact_versions.join_collection(tx, owner.team_id, owner.collection_id, owner.id)
        aliases = artifacts.wanted_aliases(tx, owner.id)
        artifact_versions.give_aliases(tx, owner.team_id, owner.collection_id, owner.id, aliases)
