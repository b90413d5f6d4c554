"""One run logged as our own SDK does and one as the wandb client does, with the same rows."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from runhue_server.aggregation.tasks import fold_log_batches
from runhue_shared import db
from runhue_shared.db import inbox
from runhue_shared.events import ConfigEdit, ConsoleLine, Finish, SummaryEdit, flatten
from runhue_shared.messages import LogBatchStored
from tests.builders import batch_of, make_project, make_run, put_batch
from tests.integration.gateway.conftest import Client

BIG = 2**63 + 5
ROWS: tuple[Mapping[str, Any], ...] = (
    {"_step": 0, "_runtime": 0.5, "_timestamp": 1800000000.5, "loss": 1.0, "deep": {"x": {"y": 1}}},
    {"_step": 1, "_runtime": 1.5, "_timestamp": 1800000001.5, "loss": math.nan, "weird key!": -math.inf},
    {"_step": 2, "_runtime": 2.5, "_timestamp": 1800000002.5, "loss": 0.1, "big": BIG, "a/b": "text"},
    {
        "_step": 7,
        "_runtime": 7.5,
        "_timestamp": 1800000007.5,
        "loss": 0.05,
        "deep": {"x": {"y": 2}},
        "ok": True,
    },
)
CONFIG = {"lr": 0.1, "opt": {"name": "adam"}, "none": None}
LINES = ("first", "second", "third")

BEGIN = """mutation UpsertBucket($name: String, $config: JSONString) {
  upsertBucket(input: {name: $name, modelName: "digits", entityName: "main", displayName: "by wandb",
    config: $config, tags: ["t"], notes: "n", groupName: "g", jobType: "j", host: "box",
    jobProgram: "train.py", commit: "abc"}) { bucket { id } }
}"""


def fold() -> None:
    """Fold whatever waits; every handler runs twice."""
    for _ in range(2):
        with db.transaction() as tx:
            parts = inbox.parts_with_work(tx)
        for part in parts:
            fold_log_batches(LogBatchStored(part=part))


def log_as_sdk(name: str = "own", rows: Sequence[Mapping[str, Any]] = ROWS) -> int:
    """The run's row; project digits of team main is made when it is new."""
    with db.transaction() as tx:
        team = tx.execute("SELECT id FROM team WHERE name = 'main'").fetchall()[0][0]
        found = tx.execute("SELECT id FROM project WHERE name = 'digits'").fetchone()
        run = make_run(tx, found[0] if found else make_project(tx, team), name)
        tx.execute(
            "UPDATE run SET name = 'by sdk', tags = '{t}', notes = 'n', group_name = 'g', job_type = 'j',"
            " metadata = %s WHERE id = %s",
            (
                '{"host":"desk","os":"Linux","python":"3.12","command":["train.py"],"git":{"commit":"def"}}',
                run.id,
            ),
        )
        flat = [(row["_step"], flatten({k: v for k, v in row.items() if k != "_step"})) for row in rows]
        after = len(flat)
        put_batch(
            tx,
            run,
            batch_of(
                flat,
                seq_hi=after + 5,
                config=[ConfigEdit(after, CONFIG)],
                summary=[SummaryEdit(after + 1, {"best": 0.99})],
                console=[
                    ConsoleLine(after + 2 + place, "stderr" if place == 1 else "stdout", 1800000000.25, text)
                    for place, text in enumerate(LINES)
                ],
                finish=[Finish(after + 5, 0, "finished", 1800000008.0)],
            ),
        )
    fold()
    return run.id


def log_as_wandb(client: Client, name: str = "theirs", rows: Sequence[Mapping[str, Any]] = ROWS) -> str:
    """The run's id in GraphQL."""
    own = {
        "t": {"1": [1]},
        "e": {"w1": {"os": "Linux", "python": "3.12", "args": ["--fast"], "cpu_count": 2}},
    }
    config = {key: {"value": value} for key, value in {**CONFIG, "_wandb": own}.items()}
    run = client.ask(BEGIN, name=name, config=json.dumps(config))["upsertBucket"]["bucket"]
    summary = {**rows[-1], "best": 0.99, "_wandb": {"runtime": 7}}
    stream = {
        "wandb-history.jsonl": {"offset": 0, "content": [json.dumps(row) for row in rows]},
        "wandb-summary.json": {"offset": 0, "content": [json.dumps(summary)]},
        "wandb-events.jsonl": {
            "offset": 0,
            "content": ['{"system.cpu": 7.5, "_wandb": true, "_timestamp": 1800000003.5, "_runtime": 3.5}'],
        },
        "output.log": {
            "offset": 0,
            "content": [
                ("ERROR " if place == 1 else "") + f"2027-01-15T08:00:00.250000 {text}"
                for place, text in enumerate(LINES)
            ],
        },
    }
    address = f"/files/main/digits/{name}/file_stream"
    for body in ({"files": stream}, {"complete": True, "exitcode": 0}):
        client.http.post(address, json=body).raise_for_status()
    fold()
    return str(run["id"])
