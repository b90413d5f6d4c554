"""Media as the API tells of them: what was logged, joined with files, inspections and renditions."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from runhue_server.api.answers import decode_document
from runhue_server.api.media_addresses import Viewer, address_of
from runhue_server.api.media_items import Value, path_in
from runhue_server.api.media_pages import Found
from runhue_server.api.media_setting_answers import DELIMITER
from runhue_server.api.run_answers import JsonObject
from runhue_server.api.wake import wake
from runhue_server.storage.named_files import take_over_uploads
from runhue_shared import db
from runhue_shared.db import inspections, media_index
from runhue_shared.db.inspections import Inspection, Made
from runhue_shared.db.media_index import FileAt
from runhue_shared.media_kinds import KINDS, Claim, Kind, claim_of
from runhue_shared.messages import MediaStored

_LAYERS = (("masks", "mask", "mask_classes"), ("boxes", "boxes", "box_classes"))
"""(member of an image, kind, the setting that holds the names of its classes)."""


class _Named(NamedTuple):
    """A file that a logged value names."""

    run_id: int
    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Known:
    """All that is known of a page's files."""

    team_id: int
    viewer: Viewer
    files: Mapping[tuple[int, str], FileAt]
    inspections: Mapping[tuple[bytes, str], Inspection]
    renditions: Mapping[tuple[bytes, str], Mapping[str, Made]]
    labels: Mapping[tuple[int, str, str], Any]


def media_answers(team_id: int, found: Sequence[Found], viewer: Viewer) -> list[JsonObject]:
    """The items with their states, facts and addresses; has inspected what nobody looked at yet.

    Takes as many statements for a hundred items as for one.
    """
    known = _known(team_id, found, viewer)
    return [_answer(known, one) for one in found]


def _known(team_id: int, found: Sequence[Found], viewer: Viewer) -> _Known:
    named = [file for one in found for file in _files_of(one)]
    places = {(file.run_id, file.path) for file in named}
    with db.transaction() as tx:
        files = media_index.files_at(tx, places)
    files = {**files, **_late(team_id, places - set(files))}
    hashes = {file.sha256 for file in files.values() if file.sha256 is not None}
    with db.transaction() as tx:
        looked = inspections.of_blobs(tx, team_id, hashes)
        woken = inspections.want(tx, team_id, list(_new_claims(named, files, looked)))
        made = inspections.renditions(tx, team_id, hashes)
        labels = media_index.class_labels(tx, {one.run_id for one in found}, _label_keys(found))
    if woken:
        wake(MediaStored())
    return _Known(team_id, viewer, files, looked, made, labels)


def _files_of(found: Found) -> Iterator[_Named]:
    item = found.item
    if item.path is not None:
        yield _Named(found.run_id, item.path, item.kind)
    for member, kind, _ in _LAYERS:
        for layer in item.layers(member).values():
            path = path_in(layer)
            if path is not None:
                yield _Named(found.run_id, path, kind)


def _late(team_id: int, places: Collection[tuple[int, str]]) -> dict[tuple[int, str], FileAt]:
    """Files whose bytes lie at the object store, and were not taken over yet."""
    by_run: dict[int, list[str]] = defaultdict(list)
    for run_id, path in places:
        by_run[run_id].append(path)
    for run_id, paths in by_run.items():
        take_over_uploads(team_id, run_id, paths)
    if not places:
        return {}
    with db.transaction() as tx:
        return media_index.files_at(tx, places)


def _new_claims(
    named: Sequence[_Named],
    files: Mapping[tuple[int, str], FileAt],
    looked: Mapping[tuple[bytes, str], Inspection],
) -> Iterator[tuple[bytes, Claim]]:
    """What nobody asked to have inspected: files that were there before there was a media worker."""
    kinds: Mapping[str, Kind] = {kind: kind for kind in KINDS}
    for run_id, path, kind in named:
        file = files.get((run_id, path))
        if file is None or file.sha256 is None or (file.sha256, kind) in looked or kind not in kinds:
            continue
        claim = claim_of(path)
        yield file.sha256, Claim(kinds[kind], "" if claim is None else claim.format)


def _label_keys(found: Sequence[Found]) -> set[str]:
    return {
        key
        for one in found
        for member, _, _ in _LAYERS
        for name in one.item.layers(member)
        for key in _keys_of_labels(one.key, name)
    }


def _keys_of_labels(key: str, name: str) -> tuple[str, str]:
    """The setting's keys: under the whole media key, and under its last part, as wandb's client has them."""
    return f"{key}{DELIMITER}{name}", f"{key.rpartition('.')[2]}{DELIMITER}{name}"


def _answer(known: _Known, found: Found) -> JsonObject:
    item = found.item
    said = item.value
    file = _NAMELESS if item.path is None else _file(known, _Named(found.run_id, item.path, item.kind))
    if item.is_whole:
        file = _BARE | {"state": "ready"}
    return {
        "run_id": found.run,
        "key": found.key,
        "step": found.step,
        "index": item.index,
        "type": item.type,
        "kind": item.kind,
        "caption": item.caption,
        "path": item.path,
        **file,
        "sha256": file["sha256"] or _said_hash(said),
        **{member: dict(_layers(known, found, member, kind, setting)) for member, kind, setting in _LAYERS},
        "value": dict(said),
    }


def _said_hash(value: Value) -> str | None:
    hash_ = value.get("sha256")
    return hash_ if isinstance(hash_, str) else None


def _layers(
    known: _Known, found: Found, member: str, kind: str, setting: str
) -> Iterator[tuple[str, JsonObject]]:
    for name, layer in found.item.layers(member).items():
        path = path_in(layer)
        file = _NAMELESS if path is None else _file(known, _Named(found.run_id, path, kind))
        keys = _keys_of_labels(found.key, name)
        labels = [known.labels[at] for key in keys if (at := (found.run_id, setting, key)) in known.labels]
        yield (
            name,
            {
                "path": path,
                **file,
                "labels": labels[0] if labels and isinstance(labels[0], dict) else {},
            },
        )


_BARE: JsonObject = {
    "sha256": None,
    "size": None,
    "mimetype": None,
    "state": "awaited",
    "code": None,
    "reason": None,
    "url": None,
    "facts": None,
    "renditions": {},
}
_NAMELESS = _BARE | {
    "state": "refused",
    "code": "no_path",
    "reason": "the logged value names no file: log it again",
}


def _file(known: _Known, named: _Named) -> JsonObject:
    """State, facts and addresses of a file that a value names."""
    file = known.files.get((named.run_id, named.path))
    if file is None:
        return _BARE
    if file.sha256 is None:
        return _BARE | {"state": "expired", "size": file.size, "mimetype": file.mimetype}
    place = (file.sha256, named.kind)
    looked = known.inspections.get(place)
    name = named.path.rpartition("/")[2]
    return {
        "sha256": file.sha256.hex(),
        "size": file.size,
        "mimetype": file.mimetype,
        "state": "waiting" if looked is None else looked.state,
        "code": None if looked is None else looked.code,
        "reason": None if looked is None else looked.reason,
        "url": address_of(known.team_id, file.sha256, file.size, named.path, file.mimetype, known.viewer),
        "facts": None if looked is None or looked.facts is None else decode_document(looked.facts),
        "renditions": {
            one.name: _rendition(known, one, name) for one in known.renditions.get(place, {}).values()
        },
    }


def _rendition(known: _Known, made: Made, name: str) -> JsonObject:
    ending = made.mimetype.rpartition("/")[2].partition("+")[0]
    file_name = f"{name}.{made.name}.{ending}"
    return {
        "url": address_of(known.team_id, made.made, made.size, file_name, made.mimetype, known.viewer),
        "mimetype": made.mimetype,
        "size": made.size,
    }
