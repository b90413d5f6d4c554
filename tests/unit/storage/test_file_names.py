"""Which paths files can have, and what they tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_server.storage.file_names import check_path, check_type, tame_path, type_of
from runhue_server.storage.problems import InvalidPath, InvalidType


@given(st.text(max_size=1100) | st.lists(st.sampled_from(["..", ".", "", "a", "\0", "ü"])).map("/".join))
def test_every_name_becomes_a_path(name: str) -> None:
    """Whatever a client calls a file, it has a path that is taken, and a good name is kept as it is."""
    tame = tame_path(name)

    check_path(tame)
    assert tame_path(tame) == tame
    try:
        check_path(name)
    except InvalidPath as refused:
        assert refused.fix  # noqa: PT017  # both outcomes are right
    else:
        assert tame == name


def test_half_a_surrogate_pair_is_no_text() -> None:
    """What no database stores is replaced."""
    assert tame_path("a\ud800b") == "a\ufffdb"


@pytest.mark.parametrize(
    ("path", "mimetype"),
    [
        ("media/images/a.PNG", "image/png"),
        ("a.table.json", "application/json"),
        ("output.log", "text/plain"),
        ("a.b/c", "application/octet-stream"),
        ("x.svg", "image/svg+xml"),
        ("model.pt", "application/octet-stream"),
        ("wandb-events.jsonl", "application/x-ndjson"),
        ("a.", "application/octet-stream"),
    ],
)
def test_types(path: str, mimetype: str) -> None:
    """The end of a path tells the type, the same on every machine."""
    assert type_of(path) == mimetype


@pytest.mark.parametrize("bad", ["", "a", "text/html; charset=x", "text/html\r\n", "a/b/c", "/a", "ü/b"])
def test_bad_types(bad: str) -> None:
    """What could not stand in a header is no type."""
    with pytest.raises(InvalidType):
        check_type(bad)
