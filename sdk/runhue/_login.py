"""`runhue.login()` and `runhue.setup()`: what can be done ahead of `init()`."""

from importlib import import_module

from runhue._credentials import read_key, write_key
from runhue._settings import resolve


def login(key: str | None = None, base_url: str | None = None) -> bool:
    """Store an API key for a server (default: the one of the settings), readable by its owner only.

    Without `key`, says whether there is one. `runhue login` asks for it.

    Raises:
        UsageError: the key is not one word.
    """
    settings = resolve({"base_url": base_url})
    if key is None:
        return bool(settings.api_key or read_key(settings.base_url))
    write_key(settings.base_url, key)
    return True


def setup() -> None:
    """Load what `init()` needs; for a server that forks training processes, once ahead of them."""
    import_module("runhue._init")
