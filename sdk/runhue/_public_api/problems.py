"""Answers that say no, as the SDK's errors. Source: RFC 9457; docs/api.md, "Errors"."""

from collections.abc import Mapping
from typing import Any

import msgspec

from runhue._errors import AuthError, ServerBusy, ServerError, ServerRefused, ServerUnreachable

AUTH = (401, 403)
TOO_MANY_REQUESTS = 429
LONGEST_SHOWN = 200


class SettingsChanged(ServerRefused):
    """Somebody else changed the color settings since they were read: read them again, then set."""


class VersionGone(ServerRefused):
    """The asked version is no longer kept."""


class ProblemDetails(msgspec.Struct):
    """The members of a problem that the SDK reads."""

    detail: str = ""
    title: str = ""
    code: str | None = None
    field: str | None = None
    limit: Any = None  # a number or a text, as the condition has it
    fix: str | None = None


_CONDITIONS: Mapping[str, type[ServerRefused]] = {
    "settings_changed": SettingsChanged,
    "version_gone": VersionGone,
}


def problem_error(status: int, headers: Mapping[str, str], body: bytes) -> ServerError:
    """The error that an answer of 300 or above is."""
    problem = _details(status, body)
    message = problem.detail or problem.title or f"the server answered {status}"
    if status == TOO_MANY_REQUESTS or status >= 500:
        asked = headers.get("retry-after", "")
        wait = float(asked) if asked.replace(".", "", 1).isdigit() else None
        return ServerBusy(message, status=status, code=problem.code, retry_after=wait)
    kind = AuthError if status in AUTH else _CONDITIONS.get(problem.code or "", ServerRefused)
    return kind(
        message, status=status, code=problem.code, field=problem.field, limit=problem.limit, fix=problem.fix
    )


def unreachable_error(reason: Exception) -> ServerUnreachable:
    """The error for a server that gives no answer; the reason begins with its address."""
    return ServerUnreachable(f"no answer from {reason}", fix="check its address and that it runs")


def _details(status: int, body: bytes) -> ProblemDetails:
    try:
        return msgspec.json.decode(body, type=ProblemDetails)
    except (msgspec.DecodeError, UnicodeDecodeError):
        shown = body[:LONGEST_SHOWN].decode("utf-8", "replace").strip()
        return ProblemDetails(
            detail=f"the server answered {status} in no form that Runhue knows: {shown!r}",
            fix="check that the address is a Runhue API",
        )
