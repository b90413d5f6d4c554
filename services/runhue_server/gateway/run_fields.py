"""The fields of a run. What is costly is read when it is asked for, at once for all runs of a page."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from runhue_server.gateway import ids
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields
from runhue_shared import db
from runhue_shared.db import run_facts, runs
from runhue_shared.db.client_history import history_keys_of_runs
from runhue_shared.db.documents import client_summaries_of_runs
from runhue_shared.db.keys import Principal
from runhue_shared.db.run_facts import ClientFacts, LineCounts
from runhue_shared.db.runs import Run
from runhue_shared.series.values import json_text

FIELDS = Fields("run")

Json = dict[str, Any]  # what fields below a type are read from

WANDB_KEY = "_wandb"
STARTED_KEY = "t"
"""The key of `_wandb` by which a client knows that a run was begun."""


NOTHING_TOLD = ClientFacts(0, False, "", None, None, None, None, None, "{}", "{}")


class RunPage:
    """Runs that are answered together; each kind of thing is asked of the database once for all of them."""

    def __init__(self, run_ids: Sequence[int]) -> None:
        self.run_ids = list(run_ids)

    @cached_property
    def facts(self) -> dict[int, ClientFacts]:
        with db.snapshot() as tx:
            return run_facts.client_facts(tx, self.run_ids)

    @cached_property
    def counts(self) -> dict[int, LineCounts]:
        with db.snapshot() as tx:
            return run_facts.line_counts(tx, self.run_ids)

    @cached_property
    def configs(self) -> dict[int, str]:
        with db.snapshot() as tx:
            return runs.configs_of_runs(tx, self.run_ids)

    @cached_property
    def summaries(self) -> dict[int, Json]:
        with db.snapshot() as tx:
            return client_summaries_of_runs(tx, self.run_ids)

    @cached_property
    def system(self) -> dict[int, Json]:
        found: dict[int, Json] = {}
        with db.snapshot() as tx:
            for run_id, name, number, text in run_facts.system_samples_of_runs(tx, self.run_ids):
                found.setdefault(run_id, {})[name] = number if text is None else json.loads(text)
        return found

    @cached_property
    def history_keys(self) -> dict[int, Json]:
        with db.snapshot() as tx:
            return history_keys_of_runs(tx, self.run_ids)


def run_nodes(project: Json, found: Sequence[Run]) -> list[Json]:
    """The fields of `Run` for runs of one project, a `gateway.projects.project_of`.

    Other modules find `_run_id` (of the row), `_page` and `project` in each.
    """
    page = RunPage([run.id for run in found])
    return [
        {**_attributes(project, run), "_run_id": run.id, "_page": page, "project": project} for run in found
    ]


def _attributes(project: Json, run: Run) -> Json:
    team: Principal = project["_team"]
    return {
        "id": ids.encode("Run", run.id),
        "internalId": str(run.id),
        "name": run.public_id,
        "displayName": run.name,
        "projectId": str(run.project_id),
        "state": run.state,
        "group": run.group,
        "jobType": run.job_type,
        "tags": run.tags,
        "notes": run.notes,
        "sweepName": None,
        "readOnly": not team.may("ingest"),
        "stopped": run.stop_requested,
        "createdAt": time_text(run.created_at),
        "heartbeatAt": time_text(run.heartbeat_at),
        "updatedAt": time_text(run.heartbeat_at),
        "duration": run.duration,
    }


def time_text(moment: datetime) -> str:
    """A time as clients read it: UTC, whole seconds, with a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def page_of(source: Json) -> tuple[RunPage, int]:
    """(the runs that are answered with this one, its row); a run that says only its id is alone."""
    if "_page" not in source:
        run_id = ids.decode("Run", source.get("id")) or 0
        source |= {"_run_id": run_id, "_page": RunPage([run_id])}
    return source["_page"], source["_run_id"]


def facts_of(source: Json) -> ClientFacts:
    """What the client told of the run."""
    page, run_id = page_of(source)
    return page.facts.get(run_id, NOTHING_TOLD)


@FIELDS.answers("Run", "user")
def user(source: Json, _context: Context) -> Json:
    """Who made the run."""
    name = facts_of(source).username
    known = (source.get("project") or {}).get("user") or {}
    return {**known, "name": name, "username": name}


@FIELDS.answers("Run", "host")
def host(source: Json, _context: Context) -> str | None:
    facts = facts_of(source)
    return facts.host or _text(_metadata(facts).get("host"))


@FIELDS.answers("Run", "commit")
def commit(source: Json, _context: Context) -> str | None:
    facts = facts_of(source)
    return facts.commit or _text(_git(_metadata(facts)).get("commit"))


@FIELDS.answers("Run", "description")
def description(source: Json, _context: Context) -> str | None:
    return facts_of(source).description


@FIELDS.answers("Run", "config")
def config(source: Json, _context: Context) -> str:
    """Each key as `{"value": ...}`, with the client's own key `_wandb` when it told one."""
    page, run_id = page_of(source)
    values = json.loads(page.configs.get(run_id, "{}"))
    wrapped = {key: {"value": value} for key, value in values.items()}
    own = json.loads(facts_of(source).wandb_config)
    return json_text({**wrapped, **({WANDB_KEY: {"value": own}} if own else {})})


@FIELDS.answers("Run", "wandbConfig")
def wandb_config(source: Json, _context: Context, keys: list[str | None] | None = None) -> str:
    """The value of the config key `_wandb`, or these keys of it. A run of our own SDK counts as begun."""
    facts = facts_of(source)
    own = json.loads(facts.wandb_config)
    if not facts.by_client:
        own = {STARTED_KEY: {}, **own}
    return json_text(own if keys is None else {key: own[key] for key in keys if key in own})


@FIELDS.answers("Run", "summaryMetrics")
def summary_metrics(source: Json, _context: Context) -> str:
    page, run_id = page_of(source)
    return json_text(page.summaries.get(run_id, {}))


@FIELDS.answers("Run", "systemMetrics")
def system_metrics(source: Json, _context: Context) -> str:
    """The last sample of each system metric."""
    page, run_id = page_of(source)
    return json_text(page.system.get(run_id, {}))


@FIELDS.answers("Run", "historyLineCount")
def history_line_count(source: Json, _context: Context) -> int:
    return _counts(source).history


@FIELDS.answers("Run", "eventsLineCount")
def events_line_count(source: Json, _context: Context) -> int:
    return _counts(source).events


@FIELDS.answers("Run", "logLineCount")
def log_line_count(source: Json, _context: Context) -> int:
    return _counts(source).log


def _counts(source: Json) -> LineCounts:
    page, run_id = page_of(source)
    return page.counts.get(run_id, LineCounts(0, 0, 0))


@FIELDS.answers("Run", "runInfo")
def run_info(source: Json, _context: Context) -> Json:
    """The machine and the program: as the client told them of its first process, else as our own SDK did."""
    facts = facts_of(source)
    told = _environment(json.loads(facts.wandb_config)) or _metadata(facts)
    git = _git(told)
    gpus = [gpu for gpu in _list(told.get("gpu_nvidia") or told.get("gpus")) if isinstance(gpu, dict)]
    return {
        "program": facts.program or told.get("program"),
        "args": [str(part) for part in _list(told.get("args") or told.get("command"))],
        "os": told.get("os"),
        "python": told.get("python"),
        "executable": told.get("executable"),
        "colab": told.get("colab"),
        "codeSaved": bool(told.get("codePath")),
        "cpuCount": told.get("cpu_count"),
        "gpuCount": told.get("gpu_count", len(gpus)),
        "gpu": told.get("gpu") or (gpus[0].get("name") if gpus else None),
        "git": {"remote": facts.repo or git.get("remote"), "commit": facts.commit or git.get("commit")},
    }


def _environment(own: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `_wandb` tells of the first process; {} for nothing."""
    processes = own.get("e")
    first = next(iter(processes.values()), None) if isinstance(processes, dict) else None
    return first if isinstance(first, dict) else {}


def _metadata(facts: ClientFacts) -> Mapping[str, Any]:
    metadata = json.loads(facts.metadata)
    return metadata if isinstance(metadata, dict) else {}


def _git(told: Mapping[str, Any]) -> Mapping[str, Any]:
    git = told.get("git")
    return git if isinstance(git, dict) else {}


def _text(value: Any) -> str | None:  # any value of metadata
    return value if isinstance(value, str) else None


def _list(value: Any) -> list[Any]:  # any value of metadata
    return value if isinstance(value, list) else []
