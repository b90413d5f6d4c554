"""Which server to speak to, and with which key."""

from runhue._credentials import read_key
from runhue._public_api.server import ServerAddress
from runhue._settings import resolve

DEFAULT_TIMEOUT = 30.0


def server_address(base_url: str | None, api_key: str | None, timeout: float) -> ServerAddress:
    """The server and key that are named; the environment's, or the stored key, for what is None.

    Raises:
        UsageError: the address is no URL, or the file of keys cannot be read.
    """
    settings = resolve({"base_url": base_url, "api_key": api_key})
    url = settings.base_url.rstrip("/")
    return ServerAddress(url, settings.api_key or read_key(url) or "", timeout)
