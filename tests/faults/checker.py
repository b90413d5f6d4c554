"""Compares what the API serves with the ground truth: every point, total, picture and color, exactly."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from runhue_shared.coloring.assign import color_runs
from runhue_shared.coloring.settings import parse_settings
from runhue_shared.coloring.values import RunStats, stats_of_points
from tests.faults.truth import KEYS, PICTURE, SeriesTruth, digest, picture, run_truth, series_truth

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class Expected:
    """One run: its seed, the steps that must be there, and those that may (a call that a kill cut off).

    `pictures`: of the steps that must be there those with a picture.
    """

    seed: int
    must: frozenset[int]
    may: frozenset[int]
    pictures: frozenset[int] = frozenset()


class Checker:
    """Reads through the public API with patience: faults end, then everything must be there."""

    def __init__(self, api_url: str, key: str, project: str = "main/faults") -> None:
        self._http = httpx.Client(base_url=api_url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self._project = f"/api/v1/projects/{project}"

    def close(self) -> None:
        """Close the connections to the API."""
        self._http.close()

    def wait(self, expected: Mapping[str, Expected], seconds: float) -> None:
        """Until the runs hold what must be there; fails with the first difference at the deadline."""
        deadline = time.monotonic() + seconds
        for run, truth in expected.items():
            self._until(deadline, lambda run=run, truth=truth: self.check_points(run, truth))  # type: ignore[misc]  # the loop's values, bound now
            self._until(deadline, lambda run=run, truth=truth: self.check_pictures(run, truth))  # type: ignore[misc]  # as above

    def _until(self, deadline: float, check: Callable[[], None]) -> None:
        while True:
            try:
                check()
            except (AssertionError, httpx.HTTPError, KeyError) as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"not so at the deadline: {error}") from error
                time.sleep(0.3)
            else:
                return

    def check_points(self, run: str, truth: Expected) -> None:
        """Every point equal to the bit, none lost, none twice, none that nobody logged."""
        found = self._points(run)
        steps = {step for points in found.values() for step in points}
        lost = truth.must - steps
        assert not lost, f"{run} lost {len(lost)} of {len(truth.must)} rows, first {sorted(lost)[:5]}"
        invented = steps - truth.must - truth.may
        assert not invented, f"{run} holds {len(invented)} rows nobody logged, first {sorted(invented)[:5]}"
        wanted = run_truth(truth.seed, steps)
        assert {key: digest(points) for key, points in found.items()} == {
            key: digest(points) for key, points in wanted.items()
        }, f"{run} holds other values than were logged"
        self._check_totals(run, wanted)

    def check_pictures(self, run: str, truth: Expected) -> None:
        """Every picture that was logged is there once, was looked at, and reads back to the byte."""
        found = self._pictures(run)
        steps = {medium["step"] for medium in found}
        assert len(steps) == len(found), f"{run} holds pictures twice"
        lost = truth.pictures - steps
        assert not lost, f"{run} lost {len(lost)} of {len(truth.pictures)} pictures, first {sorted(lost)[:5]}"
        invented = steps - truth.pictures - truth.may
        assert not invented, f"{run} holds pictures nobody logged, at {sorted(invented)[:5]}"
        bad = [(one["step"], one["state"], one["reason"]) for one in found if one["state"] != "ready"]
        assert not bad, f"{run} has {len(bad)} of {len(found)} pictures that are not ready: {bad[:5]}"
        for medium in found:
            content = picture(truth.seed, medium["step"])
            assert medium["sha256"] == hashlib.sha256(content).hexdigest()
            assert self._bytes(medium["url"]) == content, f"{run} has another picture at {medium['step']}"

    def _pictures(self, run: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = self._get(f"{self._project}/media", key=PICTURE, runs=run, limit="500", **more)
            found += page["media"]
            if page["next"] is None:
                return found
            more = {"after": page["next"]}

    def _check_totals(self, run: str, wanted: Mapping[str, Mapping[int, float | int]]) -> None:
        metrics = self._get(f"{self._project}/runs/{run}/metrics")["metrics"]
        by_name = {metric["name"]: metric for metric in metrics if metric["type"] == "number"}
        for key, points in wanted.items():
            truth = series_truth(points)
            metric = by_name[key]
            found = SeriesTruth(
                n=metric["n"],
                last_step=metric["last_step"],
                last=number(metric["last"]),
                low=metric["min"],
                high=metric["max"],
                digest=truth.digest,
            )
            assert repr(found) == repr(truth), f"{run}/{key}: {found} is not {truth}"

    def _points(self, run: str) -> dict[str, dict[int, float | int]]:
        text = self._text(f"{self._project}/runs/{run}/rows", format="ndjson", keys=",".join(KEYS))
        found: dict[str, dict[int, float | int]] = {}
        for line in text.splitlines():
            row = json.loads(line)
            step = row.pop("_step")
            for key, value in row.items():
                assert step not in found.setdefault(key, {}), f"{run}/{key} has step {step} twice"
                found[key][step] = WORDS[value] if isinstance(value, str) else value
        return found

    def check_colors(
        self, settings: dict[str, Any], expected: Mapping[str, Expected], seconds: float
    ) -> None:
        """The published coloring equals a from-scratch computation over what the runs hold."""
        deadline = time.monotonic() + seconds
        self._until(deadline, lambda: self._check_colors_once(settings, list(expected)))

    def _check_colors_once(self, settings: dict[str, Any], runs: Iterable[str]) -> None:
        key = settings["key"]["name"]
        points = {run: self._points(run).get(key, {}) for run in runs}
        stats: dict[str, RunStats] = {
            run: stats_of_points(values[step] for step in sorted(values)) for run, values in points.items()
        }
        wanted = color_runs(stats, parse_settings(settings))
        served = self._get(f"/api/v1/workspaces/{self.workspace()}/coloring", limit="10000")
        assert served["settings"]["key"]["name"] == key
        assert served["legend"]["thresholds"] == list(wanted.legend.thresholds)
        assert [bucket["label"] for bucket in served["legend"]["buckets"]] == [
            bucket.label for bucket in wanted.legend.buckets
        ]
        found = {run["run_id"]: (run["bucket"], run.get("reason")) for run in served["runs"]}
        assert found == {run: (color.bucket, color.reason) for run, color in wanted.runs.items()}

    def set_colors(self, settings: dict[str, Any]) -> None:
        """Put the default workspace's color settings, whatever they were."""
        answer = self._http.put(
            f"/api/v1/workspaces/{self.workspace()}/coloring/settings",
            content=json.dumps(settings),
            headers={"If-Match": "*", "Content-Type": "application/json"},
        )
        answer.raise_for_status()

    def workspace(self) -> int:
        """Id of the project's default workspace."""
        found: int = self._get(self._project)["default_workspace"]
        return found

    def dead_letters(self, run: str) -> int:
        """How many batches of the run ended as dead letters."""
        return len(self._get(f"{self._project}/runs/{run}/health")["dead_letters"])

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def _bytes(self, url: str) -> bytes:
        answer = self._http.get(url)
        answer.raise_for_status()
        return answer.content

    def _text(self, path: str, **query: str) -> str:
        answer = self._http.get(path, params=query)
        answer.raise_for_status()
        return answer.text


def number(value: float | str | None) -> float:
    """A number of the API, where NaN and infinities are words."""
    assert value is not None
    return WORDS[value] if isinstance(value, str) else float(value)


def returned_steps(folder: Path) -> frozenset[int]:
    """Steps whose log() call had returned, by what the training processes noted."""
    steps = set()
    for file in folder.glob("returned-*"):
        noted = file.read_bytes()
        steps |= {int.from_bytes(noted[at : at + 8], "little") for at in range(0, len(noted) - 7, 8)}
    return frozenset(steps)
