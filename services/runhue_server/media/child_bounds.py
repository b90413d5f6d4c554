"""What the bounded process may not do: too much, other files, the network, other programs.

All of this is inherited by its forks and cannot be taken back. Limits work everywhere; what only Linux has is
used where the kernel and its container allow it, and `bind` tells which of it holds.
"""

import ctypes
import os
import platform
import resource
import site
import struct
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final, NamedTuple

import runhue_server
import runhue_shared

MAX_MADE_BYTES: Final = 256 << 20
"""Renditions of one item, all together."""

MAX_OPEN_FILES: Final = 256

_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_CLONE_NEWNET: Final = 0x40000000

# Landlock: linux/landlock.h. The numbers of its calls are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIRECTORY, _REMOVE_FILE, _MAKE_DIRECTORY, _MAKE_FILE, _TRUNCATE = (
    1 << 4,
    1 << 5,
    1 << 7,
    1 << 8,
    1 << 14,
)
_READING: Final = _EXECUTE | _READ | _LIST
_WORKING: Final = _READ | _LIST | _WRITE | _REMOVE_DIRECTORY | _REMOVE_FILE | _MAKE_DIRECTORY | _MAKE_FILE
_OF_FILES: Final = _EXECUTE | _WRITE | _READ | _TRUNCATE
_FIRST_ACCESSES: Final = (1 << 13) - 1
_TRUNCATE_ABI, _NETWORK_ABI, _SCOPE_ABI = 3, 4, 6

# seccomp: linux/filter.h, linux/seccomp.h, linux/audit.h.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _NOT_THERE = 0x7FFF0000, 0x00050001, 0x00050026  # EPERM, ENOSYS
_OTHER_ABI: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000
_NUMBER_AT, _MACHINE_AT, _ARGUMENT_AT = 0, 4, 16


class _Machine(NamedTuple):
    """Numbers of an architecture; `useless` are calls that no inspector makes."""

    audit: int
    clone: int
    forks: tuple[int, ...]
    useless: tuple[int, ...]


_CLONE3: Final = 435
_MACHINES: Final = {
    # socket, execve, ptrace, unshare, setns, process_vm_readv and _writev, bpf, userfaultfd, execveat,
    # io_uring_setup, pidfd_getfd.
    "x86_64": _Machine(0xC000003E, 56, (57, 58), (41, 59, 101, 272, 308, 310, 311, 321, 323, 322, 425, 438)),
    "aarch64": _Machine(0xC00000B7, 220, (), (198, 221, 117, 97, 268, 270, 271, 280, 282, 281, 425, 438)),
}
_Step = tuple[int, int, int, int]


def bind(memory_bytes: int, folder: Path) -> list[str]:
    """Bind this process and its forks for good, before it sees bytes of anybody; what holds, by name.

    `folder` is the one place where it may write.
    """
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, MAX_MADE_BYTES)
    _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform != "linux":
        return []
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    bonds = {
        "network": libc.unshare(_CLONE_NEWNET) == 0,
        "files": _landlock(libc, folder),
        "calls": _refuse_calls(libc),
    }
    return [name for name, holds in bonds.items() if holds]


def bind_fork() -> None:
    """Bind one that looks at bytes: it starts threads, but no process that outlives it."""
    machine = _MACHINES.get(platform.machine())
    if sys.platform == "linux" and machine is not None:
        _install(ctypes.CDLL(None), _only_threads(machine))


def allow_cpu(seconds: float) -> None:
    """Allow this process so much time from now on; threads may use every core for all of it."""
    used = time.process_time()
    soft = int(used + seconds * (os.cpu_count() or 1)) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _limit(which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (bound, bound))


def _landlock(libc: ctypes.CDLL, folder: Path) -> bool:
    """Let it read Python and the system's libraries, and write to `folder`, and nothing else."""
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    truncate = _TRUNCATE if version >= _TRUNCATE_ABI else 0
    # TCP both ways; abstract sockets and signals beyond its own forks.
    network, scope = 3 * (version >= _NETWORK_ABI), 3 * (version >= _SCOPE_ABI)
    attributes = struct.pack("=QQQ", _FIRST_ACCESSES | truncate, network, scope)
    rules = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    for path in _readable():
        _allow(libc, rules, path, _READING)
    for device in ("/dev/null", "/dev/zero", "/dev/urandom"):
        _allow(libc, rules, Path(device), _READ | _WRITE)
    _allow(libc, rules, folder, _WORKING | truncate)
    holds: bool = libc.syscall(_RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return holds


def _readable() -> set[Path]:
    """Where modules and libraries are; not the whole of `sys.path`, which may begin with where we started."""
    modules = {*sysconfig.get_paths().values(), *site.getsitepackages(), f"{sys.base_prefix}/lib"}
    packages = {place for package in (runhue_server, runhue_shared) for place in package.__path__}
    system = {"/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/sys/devices/system/cpu"}
    return {Path(path) for path in modules | packages | system}


def _allow(libc: ctypes.CDLL, rules: int, path: Path, access: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this system
        return
    try:
        rule = struct.pack("=Qi", access if path.is_dir() else access & _OF_FILES, opened)
        libc.syscall(_ADD_RULE, rules, 1, rule, 0)
    finally:
        os.close(opened)


def _refuse_calls(libc: ctypes.CDLL) -> bool:
    """Have the kernel refuse calls that an inspector has no use for."""
    machine = _MACHINES.get(platform.machine())
    return machine is not None and _install(libc, _without(machine))


def _without(machine: _Machine) -> list[_Step]:
    last = len(machine.useless)
    return [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_EQUAL, 0, last + 3, machine.audit),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, last + 1, 0, _OTHER_ABI),
        *((_EQUAL, last - place, 0, call) for place, call in enumerate(machine.useless)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _only_threads(machine: _Machine) -> list[_Step]:
    """Without clone3, whose flags a filter cannot see, libraries start threads by clone."""
    forks = len(machine.forks)
    return [
        (_LOAD, 0, 0, _NUMBER_AT),
        (_EQUAL, forks + 5, 0, _CLONE3),
        *((_EQUAL, forks + 3 - place, 0, call) for place, call in enumerate(machine.forks)),
        (_EQUAL, 0, 2, machine.clone),
        (_LOAD, 0, 0, _ARGUMENT_AT),
        (_ANY_BIT, 0, 1, _CLONE_THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _NOT_THERE),
    ]


def _install(libc: ctypes.CDLL, program: list[_Step]) -> bool:
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    listed = struct.pack("@HP", len(program), ctypes.addressof(code))
    holds: bool = libc.prctl(_PR_SET_SECCOMP, 2, listed, 0, 0) == 0
    return holds
