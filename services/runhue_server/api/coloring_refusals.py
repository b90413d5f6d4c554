"""What the color routes refuse, and how `If-Match` and `If-None-Match` are read."""

import re

from runhue_server.web.problems import Invalid, Problem
from runhue_shared.coloring.settings import ColorSettings, InvalidSettings, parse_settings

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_STRONG_REVISION = re.compile(r'(?<!W/)"([0-9]{1,9})"')


class SettingsRefused(Invalid):
    """A field of the color settings; the previous settings stay in force."""

    code = "invalid_settings"


class VersionIsGone(Problem):
    """The version of the colors is no longer stored."""

    status = 410
    code = "version_gone"


class SettingsAreOthers(Problem):
    """Somebody else changed the settings since they were read."""

    status = 412
    code = "settings_changed"


class PreconditionRequired(Problem):
    """Without `If-Match` two people would overwrite each other's settings."""

    status = 428
    code = "precondition_required"


class LegendNotFound(Problem):
    """No such legend is stored for the key's team."""

    status = 404
    code = "legend_not_found"


def settings_of(document: object, prefix: str = "") -> ColorSettings:
    """Color settings in a request.

    Raises:
        SettingsRefused: names the first field that is wrong.
    """
    try:
        return parse_settings(document)
    except InvalidSettings as error:
        raise SettingsRefused(
            str(error), field=f"{prefix}{error.field}", fix="see ColorSettings in the reference"
        ) from error


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client holds what `etag` (with its quotes) names. Source: RFC 9110, 13.1.2."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag.strip('"') in _TAG.findall(if_none_match)


def revisions_in(if_match: str | None) -> list[int] | None:
    """Settings revisions that the client accepts; None is any.

    Raises:
        PreconditionRequired: there is no `If-Match`.
    """
    if if_match is None:
        raise PreconditionRequired(
            "changing color settings needs If-Match",
            field="If-Match",
            fix="send the ETag of GET .../coloring/settings, or * to overwrite",
        )
    if if_match.strip() == "*":
        return None
    return [int(revision) for revision in _STRONG_REVISION.findall(if_match)]


def revision_tag(settings_rev: int) -> str:
    """The ETag of a settings revision."""
    return f'"{settings_rev}"'
