"""Readable names of runs."""

import re

from runhue_shared.run_names import ADJECTIVES, NOUNS, readable_name


def test_name_is_adjective_noun_number() -> None:
    """A name reads well and is the same wherever it is made of the same id."""
    names = [readable_name(f"run-{number}") for number in range(1000)]

    assert names == [readable_name(f"run-{number}") for number in range(1000)]
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-[1-9]\d{0,2}", name) for name in names)
    assert len(set(names)) > 995


def test_no_word_is_twice() -> None:
    """Each word is in its list once, so that all are equally likely."""
    assert len(set(ADJECTIVES)) == len(ADJECTIVES) >= 100
    assert len(set(NOUNS)) == len(NOUNS) >= 100
