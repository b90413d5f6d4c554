"""Bounding boxes: counts, classes and scores."""

import json
from pathlib import Path
from typing import Any

import pytest

from runhue_server.media.contract import Refused, Source, Workshop
from runhue_server.media.kinds.boxes import MAX_NAMES, inspect_boxes

CORNERS = {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4}


def look(folder: Path, value: object) -> Any:  # facts
    """Facts of boxes; text and bytes as they are, anything else as JSON."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    path = folder / "bytes"
    path.write_bytes(content)
    return inspect_boxes(Source(path, "json", len(content)), Workshop(folder))


def test_counts_and_scores(tmp_path: Path) -> None:
    """Boxes are counted by class; each score has its least and its greatest finite value."""
    boxes: list[dict[str, object]] = [
        {"position": CORNERS, "class_id": 3, "scores": {"acc": 0.5, "loss": 2}},
        {"position": {"middle": [4, 5], "width": 1, "height": 2}, "class_id": 0, "scores": {"acc": 0.25}},
        {"position": CORNERS, "class_id": 3, "scores": {"acc": "NaN"}, "box_caption": "a"},
        {"position": CORNERS, "scores": None},
    ]

    facts = look(tmp_path, {"box_data": boxes, "class_labels": {"0": "cat"}})

    assert facts == {
        "count": 4,
        "classes": [{"id": 0, "count": 1}, {"id": 3, "count": 2}, {"id": None, "count": 1}],
        "scores": {"acc": {"min": 0.25, "max": 0.5}, "loss": {"min": 2, "max": 2}},
    }
    assert look(tmp_path, boxes) == facts


def test_no_boxes(tmp_path: Path) -> None:
    """A set may be empty."""
    assert look(tmp_path, {"box_data": []}) == {"count": 0, "classes": [], "scores": {}}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "empty"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_text"),
        (b"[" * 100_000, "too_deep"),
        ("boxes", "wrong_shape"),
        ({"boxes": []}, "wrong_shape"),
        ([1], "wrong_shape"),
        ([{}], "wrong_shape"),
        ([{"position": {"minX": 1}}], "wrong_shape"),
        ([{"position": {**CORNERS, "minX": float("nan")}}], "wrong_shape"),
        ([{"position": CORNERS, "class_id": "cat"}], "wrong_shape"),
        ([{"position": CORNERS, "scores": [1]}], "wrong_shape"),
        ([{"position": CORNERS, "class_id": n} for n in range(MAX_NAMES + 1)], "too_many_names"),
    ],
)
def test_refused(tmp_path: Path, value: object, code: str) -> None:
    """What cannot be drawn has a reason that names the box."""
    with pytest.raises(Refused) as refused:
        look(tmp_path, value)

    assert refused.value.code == code
