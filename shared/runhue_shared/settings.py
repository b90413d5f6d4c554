"""One `Settings` class for every service, read from `RUNHUE_*` at first use, never at import."""

from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE
PREFIX = "RUNHUE_"


class BadSettings(ValueError):
    """Environment variables that cannot be used; the message names each one with its value."""


class Settings(BaseSettings):
    """Where the servers are and how much one request, key or run may take.

    Sizes are bytes, durations are seconds unless the name says otherwise. `max_batch_bytes`
    and `flush_interval_ms` are what senders are told; above `inbox_high_water_rows` ingest
    answers 429; a running run that is silent for `heartbeat_timeout` becomes crashed;
    `recolor_*` is how long changes are coalesced; `key_pepper` is mixed into stored key digests;
    `gateway_host` and `gateway_port` are where the API finds the gateway; `usercontent_url` is the origin
    under which browsers get what users logged; `media_seconds` and `media_memory_bytes` bound one inspection;
    bytes that nothing names go after `blob_grace` seconds, files of deleted runs after `deleted_run_grace`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    database_url: str = ""
    redis_url: str = ""
    data_dir: Path = Path("runhue-data")

    host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=0, le=65535)
    ingest_port: int = Field(default=8081, ge=0, le=65535)
    gateway_port: int = Field(default=8082, ge=0, le=65535)
    gateway_host: str = "127.0.0.1"
    public_url: str = ""
    public_ingest_url: str = ""

    key_pepper: str = ""
    first_team: str = "main"

    max_body_bytes: int = Field(default=64 * MEBIBYTE, ge=1024)
    max_decompressed_bytes: int = Field(default=256 * MEBIBYTE, ge=1024)
    max_batch_bytes: int = Field(default=8 * MEBIBYTE, ge=1024)
    max_key_length: int = Field(default=500, ge=1)
    max_keys_per_run: int = Field(default=100_000, ge=1)
    max_config_bytes: int = Field(default=MEBIBYTE, ge=1024)
    max_json_depth: int = Field(default=64, ge=1)
    inbox_high_water_rows: int = Field(default=200_000, ge=1)

    blob_url: str = Field(default="", pattern=r"^(s3://[^/]+(/.*)?|file:///.*)?$")
    blob_direct: bool = True
    blob_public_endpoint: str = ""
    max_file_bytes: int = Field(default=5 * GIBIBYTE, ge=1024)
    blob_grace: float = Field(default=24 * 3600.0, ge=0)
    deleted_run_grace: float = Field(default=7 * 24 * 3600.0, ge=0)
    usercontent_url: str = Field(default="", pattern=r"^(https?://[^/?#@]+/?)?$")

    media_seconds: float = Field(default=60.0, gt=0)
    media_memory_bytes: int = Field(default=2 * GIBIBYTE, ge=256 * MEBIBYTE)

    flush_interval_ms: int = Field(default=1000, ge=10)
    heartbeat_timeout: float = Field(default=300.0, gt=0)
    recolor_watched: float = Field(default=0.25, ge=0)
    recolor_default: float = Field(default=1.0, ge=0)
    recolor_unwatched: float = Field(default=30.0, ge=0)
    sweep_interval: float = Field(default=1.0, gt=0)

    log_level: str = "info"
    log_json: bool = False

    @field_validator("usercontent_url")
    @classmethod
    def _is_apart(cls, url: str, others: ValidationInfo) -> str:
        """Raises ValueError: it is the server's own origin, which would keep nothing apart."""
        public = urlsplit(others.data.get("public_url", ""))
        if url and urlsplit(url).netloc.lower() == public.netloc.lower():
            raise ValueError("must be another host than that of RUNHUE_PUBLIC_URL")
        return url.rstrip("/").lower()

    @property
    def gateway_url(self) -> str:
        """Where the API forwards what the wandb client asks for."""
        host = f"[{self.gateway_host}]" if ":" in self.gateway_host else self.gateway_host
        return f"http://{host}:{self.gateway_port}"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings; the first call reads the environment.

    Raises:
        BadSettings: a variable has the wrong type or is out of range.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = (
            f"{PREFIX}{'.'.join(map(str, one['loc'])).upper()}={one['input']!r}: {one['msg']}"
            for one in error.errors()
        )
        raise BadSettings("; ".join(problems)) from None
