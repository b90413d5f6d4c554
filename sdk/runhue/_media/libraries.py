"""Optional libraries, imported when something needs them."""

from importlib import import_module
from typing import Any

from runhue._errors import LibraryMissing


def library(
    module: str, needed_for: str, bringing: str = "'runhue[media]'"
) -> Any:  # a module has no static type
    """The module, imported now.

    Raises:
        LibraryMissing: it is not installed; the message names what needs it, and what pip installs
            for it, which is `bringing`.
    """
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise LibraryMissing(
            f"{needed_for} needs {name}, which is not installed: pip install {bringing} ({error})"
        ) from error
