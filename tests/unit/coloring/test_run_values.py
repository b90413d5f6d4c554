"""The value that stands for a run, or the reason why none does: S5 to S11."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.coloring.settings import KeyType, YValue
from runhue_shared.coloring.values import (
    NO_STATS,
    BoolStats,
    NumberStats,
    Representative,
    RunStats,
    followed_by,
    positive_only,
    representative,
    resolved_type,
    stats_of_points,
    stats_of_value,
    types_of,
    with_numeric_strings,
)


@pytest.mark.parametrize(("y", "value"), [("latest", 0.5), ("max", 0.9), ("min", 0.1)])
def test_y_value_picks_from_history(y: YValue, value: float) -> None:
    """Latest is the value at the last step; max and min are over all steps (S5)."""
    assert representative(stats_of_points([0.9, 0.1, 0.5]), "number", y) == Representative(value)


@pytest.mark.parametrize("token", [nan, inf, -inf, "NaN", "Infinity", "-Infinity"])
def test_latest_non_finite_number_is_no_value(token: object) -> None:
    """A diverged run does not look like its last finite point (S6)."""
    stats = stats_of_points([0.5, token])

    assert representative(stats, "number", "latest") == Representative(reason="non_finite")


@pytest.mark.parametrize(("y", "value"), [("max", 0.7), ("min", 0.5)])
def test_extremes_ignore_non_finite_numbers(y: YValue, value: float) -> None:
    """Infinities and NaN are neither the greatest nor the least (S6)."""
    assert representative(stats_of_points([nan, 0.5, inf, 0.7, "-Infinity"]), "number", y).value == value


@pytest.mark.parametrize("y", ["latest", "max", "min"])
def test_only_non_finite_numbers_are_no_value(y: YValue) -> None:
    """Without a finite point no Y value has one (S6)."""
    assert representative(stats_of_points([nan, inf]), "number", y).reason == "non_finite"


@pytest.mark.parametrize("y", ["latest", "max", "min"])
def test_single_value_serves_every_y(y: YValue) -> None:
    """A config value, or a summary value without history, has no steps to choose from (S5, S10)."""
    assert representative(stats_of_value(3), "number", y) == Representative(3.0)


@pytest.mark.parametrize(
    ("logged", "double"), [(2**53 + 1, 2.0**53), (-0.0, 0.0), (10**400, inf), (-(10**400), -inf)]
)
def test_numbers_become_the_nearest_double(logged: object, double: float) -> None:
    """Integers beyond the doubles are not finite (S4, S4b)."""
    number = stats_of_value(logged).number

    assert number is not None
    assert number.latest.hex() == double.hex()


@pytest.mark.parametrize(
    ("points", "key_type", "reason"),
    [
        ([], "number", "missing"),
        ([None], "number", "null"),
        (["adam"], "number", "type_mismatch"),
        ([True], "number", "type_mismatch"),
        ([[1, 2]], "number", "type_mismatch"),
        ([{"_type": "image-file"}], "string", "type_mismatch"),
        ([None, "adam"], "bool", "type_mismatch"),
        ([0.5], "string", "type_mismatch"),
        ([], None, "missing"),
    ],
)
def test_reason_for_having_no_value(points: list[object], key_type: KeyType | None, reason: str) -> None:
    """What is there of other types decides the reason (S8, S11)."""
    assert representative(stats_of_points(points), key_type) == Representative(reason=reason)  # type: ignore[arg-type]  # from the list above


def test_types_do_not_mix() -> None:
    """A text logged after a number does not hide the number (S8)."""
    stats = stats_of_points([0.5, "done", None])

    assert representative(stats, "number").value == 0.5
    assert representative(stats, "string").value == "done"
    assert types_of(stats) == ("number", "string")


@pytest.mark.parametrize(("y", "value"), [("latest", False), ("max", True), ("min", False)])
def test_boolean_metric(y: YValue, value: bool) -> None:
    """False is less than true (S12)."""
    assert representative(stats_of_points([False, True, False]), "bool", y).value is value


@pytest.mark.parametrize("y", ["latest", "max", "min"])
def test_string_metric_has_its_latest_value(y: YValue) -> None:
    """Strings have no greatest value, whatever Y says; the empty string is one (S13)."""
    assert representative(stats_of_points(["b", ""]), "string", y) == Representative("")


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0.0), ("-0.0", 0.0), ("1.5", 1.5), ("1e-3", 0.001), ("2E+2", 200.0), ("-7", -7.0)],
)
def test_json_numbers_in_strings_can_be_read(text: str, number: float) -> None:
    """The option reads exactly what JSON calls a number (S10)."""
    assert representative(with_numeric_strings(stats_of_value(text)), "number") == Representative(number)


@pytest.mark.parametrize(
    "text", ["+1", ".5", "1.", "0x10", " 1 ", "1\n", "01", "1_000", "٣", "inf", "nan", "", "1e"]
)
def test_other_strings_stay_strings(text: str) -> None:
    """Whatever JSON would refuse is text (S10)."""
    assert with_numeric_strings(stats_of_value(text)) == RunStats(string=text)


def test_huge_number_in_a_string_is_not_finite() -> None:
    """1e999 is a JSON number that no double holds."""
    assert representative(with_numeric_strings(stats_of_value("1e999")), "number").reason == "non_finite"


@pytest.mark.parametrize(
    ("counts", "key_type"),
    [
        ({"number": 1, "string": 3}, "string"),
        ({"number": 2, "string": 2, "bool": 2}, "number"),
        ({"string": 2, "bool": 2}, "string"),
        ({"bool": 1}, "bool"),
        ({}, None),
    ],
)
def test_type_is_that_of_most_runs(counts: dict[KeyType, int], key_type: KeyType | None) -> None:
    """Ties go to number, then string (S8)."""
    assert resolved_type(counts) == key_type


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_log_scale_has_no_place_for_zero_and_below(value: float) -> None:
    """Such runs have no value there (S11)."""
    assert positive_only(Representative(value)) == Representative(reason="non_positive")


def test_log_scale_keeps_other_runs() -> None:
    """Positive values stay, and so does an earlier reason."""
    kept = [Representative(0.1), Representative(reason="missing")]

    assert [positive_only(one) for one in kept] == kept


points = st.lists(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3) | st.just([1]), max_size=12
)


@given(before=points, after=points)
def test_stats_of_two_stretches_are_those_of_the_whole(before: list[object], after: list[object]) -> None:
    """Batches of one history fold in any grouping."""
    joined = followed_by(stats_of_points(before), stats_of_points(after))

    assert repr(joined) == repr(stats_of_points(before + after))


def test_stats_are_plain_facts() -> None:
    """A worker builds them from its columns."""
    assert stats_of_points([True, 2, inf, None, [1], "x"]) == RunStats(
        number=NumberStats(inf, 2.0, 2.0),
        string="x",
        boolean=BoolStats(True, True, True),
        has_null=True,
        has_other=True,
    )
    assert stats_of_points([]) == NO_STATS
