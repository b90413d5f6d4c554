"""API keys on this machine: `~/.config/runhue/credentials`, one per server, and netrc."""

import netrc
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from runhue._errors import UsageError
from runhue._spool import write_private


def credentials_path() -> Path:
    """The file of keys: `$XDG_CONFIG_HOME/runhue/credentials` or `~/.config/runhue/credentials`."""
    home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(home).expanduser() / "runhue" / "credentials"


def read_key(base_url: str) -> str | None:
    """The key stored for a server; a netrc entry for its host counts too."""
    return _stored().get(_address(base_url)) or _from_netrc(urlsplit(base_url).hostname or "")


def write_key(base_url: str, key: str) -> None:
    """Store the key for a server in a file that only its owner can read; a damaged file is written anew.

    Raises:
        UsageError: the key is empty or holds spaces.
    """
    if not key or any(character.isspace() for character in key):
        raise UsageError("an API key is one word without spaces")
    path = credentials_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        keys = _stored()
    except UsageError:
        keys = {}
    keys[_address(base_url)] = key
    write_private(path, msgspec.json.format(msgspec.json.encode(keys)))


def forget_key(base_url: str) -> bool:
    """Remove the stored key of a server; False when there was none."""
    keys = _stored()
    if keys.pop(_address(base_url), None) is None:
        return False
    write_private(credentials_path(), msgspec.json.format(msgspec.json.encode(keys)))
    return True


def _address(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}".lower()


def _stored() -> dict[str, str]:
    path = credentials_path()
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}): run `runhue login` to write it anew") from error


def _from_netrc(host: str) -> str | None:
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        found = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return found[2] if found else None
