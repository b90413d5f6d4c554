"""OpenStack Swift with its S3 middleware, from Debian's packages: it checks every signature.

Started from files of its own in a folder: of the machine's own Swift only the programs are used
and the hash suffix in `/etc/swift/swift.conf`.
"""

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("swift-proxy", "swift-account", "swift-container", "swift-object")
PROXY = "/usr/bin/swift-proxy-server"
INSTALL_SECONDS = 600
START_SECONDS = 60
STOP_SECONDS = 20
ACCESS_KEY = "test:tester"
SECRET_KEY = "testing"

PROXY_CONF = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
user = {user}
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck cache s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
# Nobody listens there: everything is looked up each time.
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
check_bucket_owner = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""

STORAGE_CONF = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
user = {user}
fallocate_reserve = 0
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""


class NotInstallable(Exception):
    """Swift is not here, and cannot be installed; the message says why."""


def install() -> None:
    """Have Debian's packages on this machine.

    Raises:
        NotInstallable: no Debian, no root, or no way to its packages.
    """
    if Path(PROXY).exists():
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise NotInstallable("Swift comes from Debian's packages, which only root installs")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(
            ["apt-get", "-qq", *command],
            env=environ,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            raise NotInstallable(f"apt-get {command[0]}: {done.stderr[-500:]}")


@contextmanager
def swift(folder: Path) -> Iterator[str]:
    """A Swift of one device in `folder`; gives its S3 endpoint."""
    ports = _free_ports(4)
    servers = dict(zip(("account", "container", "object"), ports[1:], strict=True))
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "backups").mkdir()
    user = "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
    for name, port in servers.items():
        conf = STORAGE_CONF.format(name=name, port=port, folder=folder, user=user)
        (folder / f"{name}-server.conf").write_text(conf)
        _make_ring(folder, name, port)
    (folder / "proxy-server.conf").write_text(PROXY_CONF.format(port=ports[0], folder=folder, user=user))
    with (folder / "log").open("wb") as log:
        processes = [
            subprocess.Popen(
                [f"/usr/bin/swift-{name}-server", str(folder / f"{name}-server.conf"), "verbose"],
                stdout=log,
                stderr=log,
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
            )
            for name in (*servers, "proxy")
        ]
    try:
        _wait(f"http://127.0.0.1:{ports[0]}/healthcheck", processes, folder / "log")
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(STOP_SECONDS)


def _make_ring(folder: Path, name: str, port: int) -> None:
    builder = str(folder / f"{name}.builder")
    for command in (["create", "4", "1", "0"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"]):
        subprocess.run(
            ["/usr/bin/swift-ring-builder", builder, *command],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(address: str, processes: list["subprocess.Popen[bytes]"], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310  # our own http address
                return
        except (urllib.error.URLError, OSError) as error:
            if any(process.poll() is not None for process in processes) or time.monotonic() > deadline:
                told = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"Swift did not start: {error}\n{told}") from error
        time.sleep(0.1)
