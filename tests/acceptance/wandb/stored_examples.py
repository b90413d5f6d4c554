"""What the server holds of the examples' runs, in a form in which those of two clients can be compared."""

import json
import struct
from dataclasses import dataclass
from typing import Any

import httpx

from tests.waiting import eventually

RUNS = "/api/v1/projects/{team}/seeds/runs"

Value = Any
"""JSON."""

ARRAYS = "numpy.ndarray"

CLOCKS = frozenset({"_runtime", "_timestamp"})
NAMED_BY_CONTENT = frozenset({"path", "sha256"})
OF_WANDB_ARTIFACTS = frozenset({"artifact_path", "_latest_artifact_path"})


@dataclass
class Stored:
    """What the server holds of the examples' runs, seen through its HTTP API."""

    http: httpx.Client
    team: str

    def runs(self, client: str, example: str) -> list[Value]:
        """The runs of one example by one client, oldest first, when they are folded."""
        url = RUNS.format(team=self.team)
        found = self.get(url, filter=json.dumps({"group": client}), order="+created_at", limit=500)["runs"]
        runs = [run for run in found if run["name"].split(" ")[0] == example]
        for run in runs:
            assert eventually(lambda run=run: self.is_folded(run)), run["name"]  # type: ignore[misc]
        return [self.seen(run) for run in runs]

    def is_folded(self, run: Value) -> bool:
        """Whether the run has ended and nothing of it waits."""
        now = self.get(f"{RUNS.format(team=self.team)}/{run['id']}")
        return bool(now["state"] == "finished" and now["health"]["pending_batches"] == 0)

    def seen(self, run: Value) -> Value:
        """All that both clients must have stored alike."""
        url = f"{RUNS.format(team=self.team)}/{run['id']}"
        files = {file["path"]: file for file in self.get(f"{url}/files", limit=1000)["files"]}
        whole = self.get(url)
        metrics = self.get(f"{url}/metrics")["metrics"]
        return {
            "name": run["name"],
            "config": whole["config"],
            "summary": self.with_contents(whole["summary"], files),
            "rows": self.with_contents(self.get(f"{url}/rows", limit=5000)["rows"], files),
            "metrics": {
                f"{metric['name']} {metric['type']}": metric["n"]
                for metric in metrics
                if metric["name"] not in CLOCKS
            },
            "charts": self.get(f"{url}/charts")["charts"],
            "class_labels": self.get(f"{url}/class-labels")["class_labels"],
        }

    def with_contents(self, value: Value, files: dict[str, Value]) -> Value:
        """The value with the content of a file in place of its name, and without clocks."""
        if isinstance(value, list):
            return [self.with_contents(part, files) for part in value]
        if not isinstance(value, dict):
            return value
        kept = {
            name: self.with_contents(part, files)
            for name, part in value.items()
            if name not in CLOCKS | NAMED_BY_CONTENT | OF_WANDB_ARTIFACTS
        }
        if "path" in value and "sha256" in value:
            if value.get("_type") != ARRAYS:  # of an array, size is how many numbers it has
                kept.pop("size")
            kept["place"] = value["path"].rpartition("_")[0]
            kept["content"] = self.content(files[value["path"]])
        return kept

    def content(self, file: Value) -> Value:
        """JSON as its values, HTML as its text, sound as its samples, anything else as its hash."""
        body = self.http.get(file["url"]).raise_for_status().content
        if file["path"].endswith(".json"):
            return json.loads(body)
        if file["path"].endswith(".html"):
            return body.decode()
        if file["path"].endswith(".wav"):
            return list(struct.unpack(f"<{(len(body) - 44) // 2}h", body[44:]))
        return file["sha256"]

    def get(self, path: str, **parameters: Value) -> Value:
        return self.http.get(path, params=parameters).raise_for_status().json()
