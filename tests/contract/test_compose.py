"""docker-compose.yml starts commands that exist, on servers that keep what they are given."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from runhue_server.cli import server_commands
from runhue_server.embedded.postgres import SETTINGS
from runhue_shared.settings import Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
SERVERS = {"postgres", "valkey"}
ROLES = {
    "migrate": ["migrate"],
    "ingest": ["serve", "ingest"],
    "gateway": ["serve", "gateway"],
    "api": ["serve", "api"],
    "aggregation": ["worker", "aggregation"],
    "coloring": ["worker", "coloring"],
    "media": ["worker", "media"],
    "sweeper": ["sweeper"],
}
SECRETS = {"RUNHUE_POSTGRES_PASSWORD", "RUNHUE_VALKEY_PASSWORD", "RUNHUE_KEY_PEPPER"}
NOT_SETTINGS = {"RUNHUE_HEARTBEAT_FILE"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file with anchors resolved and variables left as written."""
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def parse(arguments: list[str]) -> None:
    """Have click parse a command line without running it.

    Raises:
        click.UsageError: there is no such command, or not with these arguments.
    """
    name, command, rest = server_commands.resolve_command(click.Context(server_commands), arguments)
    assert command is not None
    command.make_context(name, rest)


def test_services_are_the_servers_and_one_container_a_role(compose: dict[str, Any]) -> None:
    """Nothing is forgotten and nothing runs twice."""
    assert set(compose["services"]) == SERVERS | set(ROLES)


@pytest.mark.parametrize("name", ROLES)
def test_command_is_one_of_the_program(compose: dict[str, Any], name: str) -> None:
    """Each container runs its own command, and that command takes these arguments."""
    assert compose["services"][name]["command"] == ROLES[name]
    parse(ROLES[name])


@pytest.mark.parametrize("name", sorted(SERVERS | set(ROLES)))
def test_container_restarts_reaps_and_stops_in_time(compose: dict[str, Any], name: str) -> None:
    """A process that dies comes back; zombies are reaped; a stop is bounded but not cut short."""
    service = compose["services"][name]

    assert service["init"] is True
    assert service["restart"] == ("on-failure:5" if name == "migrate" else "unless-stopped")
    assert service["stop_grace_period"] in {"20s", "60s"}


@pytest.mark.parametrize("name", sorted(set(ROLES) - {"migrate"}))
def test_health_check_is_a_command_of_the_program(compose: dict[str, Any], name: str) -> None:
    """HTTP services are asked by /readyz, workers by the age of their heartbeat."""
    test = compose["services"][name]["healthcheck"]["test"]

    assert test[:5] == ["CMD", "python", "-m", "runhue_server", "health"]
    assert test[5] == (name if name in {"api", "ingest", "gateway"} else "worker")
    parse(test[4:])


def test_services_start_after_the_schema(compose: dict[str, Any]) -> None:
    """A service never meets a database without its tables; the migration waits for healthy servers."""
    for name in set(ROLES) - {"migrate"}:
        needs = compose["services"][name]["depends_on"]
        assert needs["migrate"] == {"condition": "service_completed_successfully"}
        assert needs["postgres"] == needs["valkey"] == {"condition": "service_healthy"}
    assert compose["services"]["migrate"]["depends_on"] == {
        name: {"condition": "service_healthy"} for name in SERVERS
    }


def test_valkey_keeps_its_keys(compose: dict[str, Any]) -> None:
    """Append-only file and no eviction: the check at the start of each service would refuse another one."""
    command = compose["services"]["valkey"]["command"][-1]

    assert "--appendonly yes" in command
    assert "--appendfsync everysec" in command
    assert "--maxmemory-policy noeviction" in command
    assert '--requirepass "$$VALKEY_PASSWORD"' in command


def test_postgres_is_durable_and_of_the_embedded_major(compose: dict[str, Any]) -> None:
    """No option turns durability off, and a dump moves between a laptop and containers."""
    postgres = compose["services"]["postgres"]
    options = dict(option.split("=", 1) for option in postgres["command"] if "=" in option)

    assert postgres["image"].startswith("postgres:18")
    assert not {"fsync", "synchronous_commit", "full_page_writes"} & set(options)
    assert options["jit"] == SETTINGS["jit"]
    assert "--builtin-locale=C.UTF-8" in postgres["environment"]["POSTGRES_INITDB_ARGS"]


def test_data_is_on_named_volumes(compose: dict[str, Any]) -> None:
    """`docker compose down` keeps databases, media and the first key."""
    services = compose["services"]

    assert set(compose["volumes"]) == {"postgres", "valkey", "data"}
    assert "postgres:/var/lib/postgresql" in services["postgres"]["volumes"]
    assert "valkey:/data" in services["valkey"]["volumes"]
    assert all("data:/data" in services[name]["volumes"] for name in ROLES)


def test_secrets_have_no_default_and_say_how_to_set_them(compose: dict[str, Any]) -> None:
    """Starting without one fails with a message; none has a value in the file."""
    written = FILE.read_text(encoding="utf-8")

    for secret in SECRETS:
        uses = re.findall(rf"\$\{{{secret}([^}}]*)\}}", written)
        assert uses
        assert all(use.startswith(":?set it to") for use in uses)


def test_environment_names_are_settings(compose: dict[str, Any]) -> None:
    """A misspelled variable would be ignored in silence."""
    known = {f"RUNHUE_{name.upper()}" for name in Settings.model_fields} | NOT_SETTINGS

    for name in ROLES:
        variables = {key for key in compose["services"][name]["environment"] if key.startswith("RUNHUE_")}
        assert variables <= known


def test_ports_are_private_until_asked(compose: dict[str, Any]) -> None:
    """Only the two HTTP services publish a port, on this machine alone by default."""
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }

    assert set(published) == {"api", "ingest"}
    assert all(
        port.startswith("${RUNHUE_BIND:-127.0.0.1}:") for ports in published.values() for port in ports
    )


def test_mounted_and_built_files_exist(compose: dict[str, Any]) -> None:
    """Every path of this repository that the file names is there; scripts can be run."""
    build = compose["services"]["migrate"]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]).is_file()
    for volume in compose["services"]["postgres"]["volumes"]:
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert os.access(ROOT / source, os.X_OK)


def test_image_runs_as_an_ordinary_user() -> None:
    """Two stages, a user that is not root, a health check, and no embedded servers."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")

    assert len(re.findall(r"^FROM python:3\.12-slim", dockerfile, re.MULTILINE)) == 2
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE) == ["runhue"]
    assert re.search(r"^HEALTHCHECK ", dockerfile, re.MULTILINE)
    assert "'.[server]'" in dockerfile
    assert 'ENTRYPOINT ["runhue"]' in dockerfile


def compose_plugin() -> bool:
    """Whether this machine has `docker compose`; it needs no daemon to read a file."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not compose_plugin(), reason="no docker with the compose plugin")
@pytest.mark.parametrize("missing", [None, *sorted(SECRETS)])
def test_docker_reads_the_file(missing: str | None) -> None:
    """With all secrets it is valid; without one, docker names the variable."""
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    environ |= {secret: "text" for secret in SECRETS if secret != missing}
    done = subprocess.run(
        ["docker", "compose", "--file", str(FILE), "--env-file", os.devnull, "config", "--quiet"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode == 0) == (missing is None), done.stderr
    assert missing is None or missing in done.stderr
