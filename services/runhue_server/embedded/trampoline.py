"""Become another program: drop privileges, ask to die with the parent, exec.

Run as a script by `supervise.py` (`python -I -S trampoline.py PARENT SIGNAL UID GID PROGRAM ARG...`).
A step between fork and exec that is not `preexec_fn`, which may deadlock under threads. It starts as
the caller, so it works where the dropped account could not run this Python (a venv under /root).
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, signal_number: int) -> None:
    """Have the kernel send `signal_number` when the thread that forked us ends (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it died before the call above
        os._exit(125)


def main() -> None:
    parent, signal_number, uid, gid = (int(text) for text in sys.argv[1:5])
    command = sys.argv[5:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    die_with_parent(parent, signal_number)  # after setuid, which would clear it
    try:
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        os._exit(126)


if __name__ == "__main__":
    main()
