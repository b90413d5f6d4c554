"""A bucket on a real S3 server in a thread of this process, and the settings that lead to it."""

import secrets

import boto3
import pytest
from moto.server import ThreadedMotoServer

from runhue_shared.settings import Settings, settings
from tests.conftest import forget_settings


class Bucket:
    """An empty bucket; `objects` looks into it without our code."""

    def __init__(self, server: ThreadedMotoServer) -> None:
        host, port = server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self.name = f"bucket-{secrets.token_hex(8)}"
        self.client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.client.create_bucket(Bucket=self.name)

    def objects(self, prefix: str = "") -> dict[str, int]:
        """Sizes by key."""
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=f"runs/{prefix}")
        return {entry["Key"].removeprefix("runs/"): entry["Size"] for entry in found.get("Contents", [])}

    @property
    def environ(self) -> dict[str, str]:
        """Variables of an operator who keeps bytes in the bucket, below `runs/`."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "RUNHUE_BLOB_URL": f"s3://{self.name}/runs",
        }

    def lead_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have this process's environment name the bucket."""
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)

    def use(self, monkeypatch: pytest.MonkeyPatch, *, direct: bool = True) -> Settings:
        """Have this process keep its bytes in the bucket."""
        self.lead_to(monkeypatch)
        monkeypatch.setenv("RUNHUE_BLOB_DIRECT", str(direct))
        forget_settings()
        return settings()
