"""Which server to speak to, and with which key."""

import os

from runhue._public_api.server import ServerAddress

DEFAULT_TIMEOUT = 30.0


def server_address(base_url: str | None, api_key: str | None, timeout: float) -> ServerAddress:
    """The server that was named, or the one the environment names."""
    url = base_url or os.environ.get("RUNHUE_BASE_URL", "http://127.0.0.1:8080")
    return ServerAddress(url.rstrip("/"), api_key or os.environ.get("RUNHUE_API_KEY", ""), timeout)
