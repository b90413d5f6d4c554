"""A client of the gateway as short as tests need it: it begins runs and posts lines, also what is wrong."""

import gzip
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from runhue_server.aggregation.tasks import fold_log_batches
from runhue_shared import db
from runhue_shared.db import history, inbox, writers
from runhue_shared.messages import LogBatchStored

HISTORY, EVENTS, CONSOLE, SUMMARY = (
    "wandb-history.jsonl",
    "wandb-events.jsonl",
    "output.log",
    "wandb-summary.json",
)
STARTED = 1_795_316_000.0

UPSERT = """
mutation UpsertBucket($id: String, $name: String, $project: String, $entity: String, $groupName: String,
    $displayName: String, $notes: String, $config: JSONString, $host: String, $program: String,
    $jobType: String, $state: String, $tags: [String!], $summaryMetrics: JSONString) {
  upsertBucket(input: {id: $id, name: $name, groupName: $groupName, modelName: $project, entityName: $entity,
      displayName: $displayName, notes: $notes, config: $config, host: $host, jobProgram: $program,
      jobType: $jobType, state: $state, tags: $tags, summaryMetrics: $summaryMetrics}) {
    bucket { id name displayName description config sweepName historyLineCount
      project { id name entity { id name } } }
    inserted
  }
}"""

RESUME = """
query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    id name entity { id name }
    bucket(name: $name, missingOk: true) {
      id name displayName summaryMetrics config historyLineCount eventsLineCount logLineCount
      historyTail eventsTail tags notes wandbConfig(keys: ["t"])
    }
  }
}"""

REWIND = """
mutation RewindRun($runName: String!, $entity: String, $project: String, $metricName: String!,
    $metricValue: Float!) {
  rewindRun(input: {runName: $runName, entityName: $entity, projectName: $project, metricName: $metricName,
      metricValue: $metricValue}) {
    rewoundRun { id name historyLineCount project { name entity { name } } }
  }
}"""

ALERT = """
mutation NotifyScriptableRunAlert($entityName: String!, $projectName: String!, $runName: String!,
    $title: String!, $text: String!, $severity: AlertSeverity = INFO, $waitDuration: Duration) {
  notifyScriptableRunAlert(input: {entityName: $entityName, projectName: $projectName, runName: $runName,
      title: $title, text: $text, severity: $severity, waitDuration: $waitDuration}) { success }
}"""


def row(step: int, **values: Any) -> str:
    """A line of history; `values` as `log()` takes them."""
    times = {"_runtime": float(step), "_timestamp": STARTED + step}
    return json.dumps({**values, "_step": step, **times})


def rows(first: int, last: int) -> list[str]:
    """Lines of history for steps `first..last`, with a number that is the step's."""
    return [row(step, v=step / 7) for step in range(first, last + 1)]


class Poster:
    """Speaks for runs of project `digits` of one team, through one gateway."""

    def __init__(self, url: str, key: str, client_id: str = "") -> None:
        headers = {"X-Wandb-Client-Id": client_id, "X-Wandb-Async-Client-Id": client_id} if client_id else {}
        self.http = httpx.Client(
            base_url=url, auth=("api", key), headers=headers, timeout=60, trust_env=False
        )

    def ask(self, query: str, /, **variables: Any) -> dict[str, Any]:
        """`data` of an answer without errors."""
        response = self.http.post("/graphql", json={"query": query, "variables": variables})
        assert response.status_code == 200, response.text
        assert "errors" not in response.json(), response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    def begin(self, run: str = "r1", /, **variables: Any) -> dict[str, Any]:
        """The bucket, after a process told that it begins."""
        return self.change(run, **{"host": "vm", "program": "train.py", **variables})

    def change(self, run: str = "r1", /, **variables: Any) -> dict[str, Any]:
        """The bucket, after something of the run was told."""
        if isinstance(variables.get("config"), dict):
            variables["config"] = json.dumps(variables["config"])
        said = {"project": "digits", "name": run, **variables}
        bucket: dict[str, Any] = self.ask(UPSERT, **said)["upsertBucket"]["bucket"]
        return bucket

    def resume(self, run: str = "r1") -> dict[str, Any] | None:
        """What a resuming client learns of the run."""
        found: dict[str, Any] | None = self.ask(RESUME, project="digits", name=run)["model"]["bucket"]
        return found

    def post(self, run: str = "r1", /, **said: Any) -> httpx.Response:
        """`POST file_stream` of a JSON object."""
        return self.post_body(run, json.dumps(said).encode())

    def post_body(self, run: str, body: bytes, **headers: str) -> httpx.Response:
        return self.http.post(f"/files/main/digits/{run}/file_stream", content=body, headers=headers)

    def log(self, lines: Sequence[str], offset: int = 0, run: str = "r1", **said: Any) -> httpx.Response:
        """Lines of history; must be taken."""
        answer = self.post(run, files=chunk(HISTORY, lines, offset), **said)
        assert answer.status_code == 200, answer.text
        return answer


def chunk(name: str, lines: Sequence[str], offset: int = 0) -> dict[str, Any]:
    """`files` of a post with lines of one file."""
    return {name: {"offset": offset, "content": list(lines)}}


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def fold_all() -> None:
    """Fold what waits, of all runs."""
    for _ in range(100):
        with db.transaction() as tx:
            parts = inbox.parts_with_work(tx)
        if not parts:
            return
        for part in parts:
            fold_log_batches(LogBatchStored(part=part))


@contextmanager
def folding() -> Iterator[None]:
    """Fold without pause meanwhile, as the workers do."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(0.02):
            fold_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(30)


def run_id(run: str = "r1") -> int:
    with db.transaction() as tx:
        return int(tx.execute("SELECT id FROM run WHERE public_id = %s", (run,)).fetchall()[0][0])


def stored_rows(run: str = "r1", stream: history.Stream = "history") -> list[dict[str, Any]]:
    """What is folded of the run, without times."""
    fold_all()
    with db.transaction() as tx:
        found = history.read_rows(tx, run_id(run), stream=stream)
    return [{k: v for k, v in one.items() if k not in ("_timestamp", "_runtime")} for one in found]


def console_of(run: str = "r1") -> list[tuple[str, str]]:
    """(stream, text) of the lines."""
    fold_all()
    with db.transaction() as tx:
        return tx.execute(
            "SELECT stream, line FROM run_console WHERE run_id = %s ORDER BY ord", (run_id(run),)
        ).fetchall()


def state_of(run: str = "r1") -> tuple[str, int | None]:
    """(state, exit code)."""
    fold_all()
    with db.transaction() as tx:
        row = tx.execute("SELECT state, exit_code FROM run WHERE public_id = %s", (run,)).fetchall()[0]
    return row[0], row[1]


def refused_of(run: str = "r1") -> dict[str, int]:
    """Refusals of the run by code."""
    fold_all()
    with db.transaction() as tx:
        found = tx.execute(
            "SELECT code, sum(count)::int FROM run_rejection WHERE run_id = %s GROUP BY code", (run_id(run),)
        ).fetchall()
        assert tx.execute("SELECT reason FROM dead_letter").fetchall() == []
    return dict(found)


def is_folded(run: str = "r1") -> bool:
    with db.transaction() as tx:
        return writers.is_folded(tx, run_id(run))
