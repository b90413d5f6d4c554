"""What a refused request is told."""

import re
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError

from runhue_server.web.problems import as_problem


class Asked(BaseModel):
    """A body with limits."""

    model_config = ConfigDict(extra="forbid")

    days: int


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"days": "ten"}, 'days: Input should be a valid integer, .*, got "ten"$'),
        ({"days": None}, "days: Input should be a valid integer, got null$"),
        ({"days": {"a": 1}}, "days: Input should be a valid integer, got an object$"),
        ({"days": "\ud800" * 500}, r'days: .*, got "(\\ud800){16}\\\w*\.\.\.$'),
        ({}, "days: Field required$"),
        ({"days": 1, "weeks": 2}, "weeks: Extra inputs are not permitted$"),
    ],
)
def test_an_error_tells_what_came(body: dict[str, Any], detail: str) -> None:
    """A value that is refused is repeated, at most 100 characters of it; a name is said alone."""
    with pytest.raises(ValidationError) as refused:
        Asked.model_validate(body)

    problem = as_problem(RequestValidationError(refused.value.errors()))

    assert re.match(detail, problem.detail), problem.detail
