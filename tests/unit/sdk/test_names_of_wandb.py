"""Scripts written for wandb are told what to do instead of what is not here."""

import pytest

import runhue


@pytest.mark.parametrize("name", ["Artifact", "log_artifact", "sweep", "agent", "watch"])
def test_a_missing_name_says_what_to_do(name: str) -> None:
    """The error is an AttributeError, as for any module, with a way on."""
    with pytest.raises(AttributeError, match=f"no attribute '{name}': .{{20,}}"):
        getattr(runhue, name)


def test_any_other_name_is_just_missing() -> None:
    """Nothing is made up for names that nobody knows."""
    with pytest.raises(AttributeError, match=r"no attribute 'nothing_such'$"):
        runhue.nothing_such  # noqa: B018
