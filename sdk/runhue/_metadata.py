"""Where a run comes from: host, Python, command, git. Each part is left out when it cannot be had."""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

GIT_SECONDS = 2.0
GPU_SECONDS = 5.0


def surroundings() -> dict[str, Any]:
    """Metadata of this process, as shown on the run's page. Takes up to some seconds."""
    memory = psutil.virtual_memory().total
    found = {
        "host": socket.gethostname(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "command": sys.argv,
        "cwd": _cwd(),
        "pid": os.getpid(),
        "cpu_count": psutil.cpu_count(logical=False) or os.cpu_count(),
        "cpu_count_logical": os.cpu_count(),
        "memory_bytes": memory,
        "gpus": gpus(),
        "git": git_state(Path.cwd()) if _cwd() else None,
    }
    return {key: value for key, value in found.items() if value}


def git_state(folder: Path) -> dict[str, Any] | None:
    """commit, branch, remote (without credentials) and whether files were changed; None outside git."""
    if shutil.which("git") is None:
        return None
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    remote = _git(folder, "remote", "get-url", "origin")
    return {
        "commit": commit,
        "branch": _git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        "remote": without_credentials(remote) if remote else None,
        "dirty": bool(changes),
    }


def without_credentials(url: str) -> str:
    """The URL of a git remote without user name and password."""
    return re.sub(r"^(\w+://)[^/@]*@", r"\1", url)


def gpus() -> list[str]:
    """Names of NVIDIA GPUs, by nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return []
    return _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], GPU_SECONDS).splitlines()


def _git(folder: Path, *arguments: str) -> str:
    return _output(["git", "-C", str(folder), *arguments], GIT_SECONDS)


def _output(command: list[str], seconds: float) -> str:
    """What a command prints; empty when it fails or takes longer."""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _cwd() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None
