"""How values and tables look to people."""

import pytest

from runhue._cli.output import counted, moment, number, print_table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234567, "0.123457"),
        (12_345_678.0, "12345678"),
        (1_795_308_337.25, "1.79531e+09"),
        (2.0**60, "1.15292e+18"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (7, "7"),
        (True, "true"),
        (None, ""),
        ("adam", "adam"),
    ],
)
def test_values_are_short_and_integers_whole(value: object, text: str) -> None:
    """An integer that a double holds exactly is shown in full, any other number with six digits."""
    assert number(value) == text


def test_counts_and_moments() -> None:
    """One is singular; Unix seconds are shown as UTC."""
    assert [counted(count, "run") for count in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert moment(1_700_000_000.7) == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(("width", "shown"), [(200, 3), (34, 2), (10, 1)])
def test_columns_without_room_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, shown: int
) -> None:
    """A narrow terminal shows the first columns in full, and never fewer than it must."""
    monkeypatch.setattr("runhue._cli.output.WIDTH_WITHOUT_TERMINAL", width)
    names = ("name", "summary.accuracy", "summary.loss")

    print_table(names, [("run", "0.5", "0.25")], "none", may_drop=2)

    head = capsys.readouterr().out.splitlines()[1]
    assert head.split() == list(names[:shown])
