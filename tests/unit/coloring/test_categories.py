"""Which strings get a bucket of their own: S13."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue_shared.coloring.categories import Categories, categories_of, category_label


def test_every_value_has_a_bucket_when_there_are_enough() -> None:
    """Sorted by code point, whatever their counts: capitals first, then letters, then emoji."""
    counts = {"sgd": 9, "Adam": 1, "adam": 5, "\U0001f600": 7, "\uffff": 1}

    assert categories_of(counts, 5) == Categories(("Adam", "adam", "sgd", "\uffff", "\U0001f600"))


def test_most_frequent_values_keep_their_bucket() -> None:
    """With more values than buckets the last bucket takes the rest."""
    assert categories_of({"a": 1, "b": 5, "c": 3, "d": 2}, 3) == Categories(("b", "c"), has_other=True)


def test_ties_go_to_the_smaller_code_point() -> None:
    """The choice does not depend on the order of runs."""
    assert categories_of({"d": 2, "c": 2, "b": 2, "a": 2}, 3) == Categories(("a", "b"), has_other=True)


@pytest.mark.parametrize(("value", "label"), [("", "(empty)"), ("adam", "adam"), ("Other", "Other")])
def test_label_of_a_category(value: str, label: str) -> None:
    """The empty string is a value with a name."""
    assert category_label(value) == label


@given(counts=st.dictionaries(st.text(max_size=2), st.integers(1, 4), max_size=15), n=st.integers(2, 8))
def test_the_most_frequent_rows_are_enough(counts: dict[str, int], n: int) -> None:
    """A worker asks its index for n + 1 rows and gets the same categories."""
    top = sorted(counts, key=lambda value: (-counts[value], value))[: n + 1]

    assert categories_of({value: counts[value] for value in top}, n) == categories_of(counts, n)
