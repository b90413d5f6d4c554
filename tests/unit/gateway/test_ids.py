"""Global ids and cursors."""

from hypothesis import given
from hypothesis import strategies as st

from runhue_server.gateway import ids


@given(st.from_regex(r"[A-Z][A-Za-z]{0,20}", fullmatch=True), st.integers(0, ids.LARGEST))
def test_an_id_gives_its_number_back(kind: str, number: int) -> None:
    """What was encoded for a kind is decoded for that kind, and for no other."""
    text = ids.encode(kind, number)

    assert ids.decode(kind, text) == number
    assert ids.decode(f"{kind}s", text) is None


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1")), st.none(), st.integers()))
def test_what_is_no_id_has_no_number(text: object) -> None:
    """Garbage of any kind is None, and never an error."""
    assert ids.decode("Run", text) is None
    assert ids.place_of(text) is None or isinstance(text, str)


def test_numbers_that_no_row_has() -> None:
    """Signs, other digits and numbers beyond 64 bits are no ids."""
    for number in ("-1", "+1", "", " 1", "1_0", "١", str(ids.LARGEST + 1), "9" * 90):
        assert ids.decode("Run", ids.cursor_of(f"Run:{number}")) is None


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_cursor_gives_its_place_back(place: str) -> None:
    """Whatever a list is sorted by, a cursor leads back to it."""
    assert ids.place_of(ids.cursor_of(place)) == place
