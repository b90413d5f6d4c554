"""Which operating-system account the embedded servers run as, and what that account can reach.

Postgres refuses to run as root. A root user gets the servers under an account that
exists already; this module never creates one.
"""

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from runhue_server.embedded.errors import StackError

FALLBACK_USERS = ("nobody", "daemon")


@dataclass(frozen=True)
class Account:
    """An unprivileged account to drop to."""

    name: str
    uid: int
    gid: int


def account_by_name(name: str) -> Account:
    """The account called `name`, or with that number when `name` is digits.

    Raises:
        StackError: no such account, or it is root.
    """
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        raise StackError(
            f"RUNHUE_EMBEDDED_USER is {name!r}, which is no account of this machine: "
            "name one that exists (`getent passwd` lists them)"
        ) from None
    if entry.pw_uid == 0:
        raise StackError(
            f"RUNHUE_EMBEDDED_USER is {name!r}, but Postgres does not run as root: name another account"
        )
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def server_account(configured: str, existing_data: Path) -> Account | None:
    """The account to drop to; None when this process is not root and keeps its own.

    In order: the configured one, the owner of the data that is already there, `nobody`.

    Raises:
        StackError: root, and no such account exists.
    """
    if os.geteuid() != 0:
        return None
    if configured:
        return account_by_name(configured)
    if existing_data.exists() and (owner := existing_data.stat().st_uid) != 0:
        return account_by_name(str(owner))
    for name in FALLBACK_USERS:
        try:
            return account_by_name(name)
        except StackError:
            continue
    raise StackError(
        "Postgres does not run as root, and this machine has no account called nobody or daemon: "
        "set RUNHUE_EMBEDDED_USER to an unprivileged account, or run as an ordinary user"
    )


def _groups(account: Account) -> set[int]:
    return {account.gid} | {group.gr_gid for group in grp.getgrall() if account.name in group.gr_mem}


def _allows(path: Path, account: Account, groups: set[int], wanted: int) -> bool:
    found = path.stat()
    if found.st_uid == account.uid:
        granted = found.st_mode >> 6
    elif found.st_gid in groups:
        granted = found.st_mode >> 3
    else:
        granted = found.st_mode
    return granted & wanted == wanted


def can_reach(path: Path, account: Account, wanted: int = stat.S_IXOTH) -> bool:
    """Whether `account` may pass every parent of `path` and has `wanted` (rwx bits, 0 to 7) on it.

    Judged by owner and mode; access control lists are not read. A path that does not exist
    yet is judged by its nearest parent that does.
    """
    path = path.resolve()
    groups = _groups(account)
    while not path.exists():
        path, wanted = path.parent, stat.S_IXOTH
    return _allows(path, account, groups, wanted) and all(
        _allows(parent, account, groups, stat.S_IXOTH) for parent in path.parents
    )


def give_to(path: Path, account: Account | None) -> None:
    """Make `account` the owner of `path`; nothing when None."""
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def give_tree_to(path: Path, account: Account | None) -> None:
    """Make `account` the owner of `path` and all below, unless the top already is its own."""
    if account is None or path.stat().st_uid == account.uid:
        return
    for directory, names, files in os.walk(path):
        for name in (*names, *files):
            give_to(Path(directory, name), account)
    give_to(path, account)  # last: a walk cut short is taken up again
