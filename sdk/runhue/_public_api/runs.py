"""Runs that are stored: read them, change them, stop and delete them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from runhue._media.libraries import library
from runhue._public_api.blocking import BlockingTransport
from runhue._public_api.chart_calls import chart_call, charts_call
from runhue._public_api.chart_records import Chart, ChartInfo
from runhue._public_api.edited_values import EditedValues
from runhue._public_api.file_calls import file_call, files_call, store_file_call, upload_file_call
from runhue._public_api.files import File
from runhue._public_api.histograms import COLUMNS, ROWS, HistogramQuery, Histograms, histograms_call
from runhue._public_api.history_calls import Row, Scan, merged_rows, row_page_call, series_call
from runhue._public_api.media import Medium
from runhue._public_api.media_calls import MediaQuery, media_call, media_keys_call, summary_media_call
from runhue._public_api.media_records import MediaKey
from runhue._public_api.records import Alert, ConsoleLine, Health, RunMetric, RunRecord, Series
from runhue._public_api.run_calls import (
    RunQuery,
    alerts_call,
    change_run_call,
    console_call,
    delete_run_call,
    health_call,
    run_call,
    run_metrics_call,
    run_page_call,
    stop_run_call,
)
from runhue._public_api.stored_run import StoredRun
from runhue._public_api.tables import RunTable
from runhue._public_api.tables_calls import TableAt, TableKey, table_call, table_keys_call

if TYPE_CHECKING:
    import pandas as pd


class Summary(EditedValues):
    """A run's summary. Assign or delete keys, then `update()`; or `update({...})` does both at once."""

    def __init__(self, values: Mapping[str, Any], run: "Run") -> None:
        super().__init__(values)
        self._run = run

    def update(self, *args: Any, **values: Any) -> None:  # what dict.update takes
        """Set what is given, and send every edit.

        Raises:
            RunhueError: the server refuses a value, or cannot be reached.
        """
        super().update(*args, **values)
        self._run.send_edits(self, "summary")


class Run(StoredRun):
    """A run as it was when it was read; `refresh()` reads it again.

    `name`, `notes`, `tags`, `group`, `job_type` and `config` may be assigned; `update()` sends them.
    Every method raises a `RunhueError` when the server refuses or cannot be reached.
    """

    def __init__(self, transport: BlockingTransport, record: RunRecord) -> None:
        super().__init__(record)
        self._transport = transport
        self.summary = Summary(record.summary, self)

    def refresh(self) -> "Run":
        """Read the run again, forgetting edits that were not sent."""
        self._take(self._transport.run(run_call(self.path)))
        self.summary = Summary(self.record.summary, self)
        return self

    def update(self) -> None:
        """Send the changed attributes and config."""
        changes = self.changes()
        if changes:
            self._transport.run(change_run_call(self.path, changes))
            self.changes_sent()

    def send_edits(self, values: EditedValues, name: str) -> None:
        """Send what was edited of config or summary, ahead of it the files that it names."""
        for path, content in values.files.contents.items():
            self._transport.run(store_file_call(self.path, path, content))
        edits = values.edits(name)
        if edits:
            self._transport.run(change_run_call(self.path, edits))
            values.sent()

    @overload
    def history(
        self,
        samples: int = 1000,
        keys: Sequence[str] | None = None,
        from_: int | None = None,
        to: int | None = None,
        *,
        pandas: Literal[False] = False,
    ) -> list[Row]: ...

    @overload
    def history(
        self,
        samples: int = 1000,
        keys: Sequence[str] | None = None,
        from_: int | None = None,
        to: int | None = None,
        *,
        pandas: Literal[True],
    ) -> "pd.DataFrame": ...

    def history(
        self,
        samples: int = 1000,
        keys: Sequence[str] | None = None,
        from_: int | None = None,
        to: int | None = None,
        *,
        pandas: bool = False,
    ) -> "list[Row] | pd.DataFrame":
        """Metrics reduced to at most `samples` buckets each, the last value of each bucket, one row a step.

        Args:
            samples: 1 or more; a metric with fewer points is not reduced.
            keys: metrics to read; all when None.
            from_, to: first and last step, both included.
            pandas: a DataFrame with one column a key instead of a list of dicts (`runhue[pandas]`).
        """
        rows = merged_rows(self.series(samples, keys, from_, to))
        return data_frame(rows) if pandas else rows

    def series(
        self,
        samples: int = 1000,
        keys: Sequence[str] | None = None,
        from_: int | None = None,
        to: int | None = None,
    ) -> list[Series]:
        """As `history`, metric by metric, with the minimum, maximum and count of every bucket."""
        return self._transport.run(series_call(self.path, keys, from_, to, samples))

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,
        min_step: int | None = None,
        max_step: int | None = None,
    ) -> Iterator[Row]:
        """Every point exactly, one row a step in order of steps, read in pages of `page_size` rows.

        Args:
            keys: rows that hold any of these, and only these of them; all when None.
            page_size: rows per request, 1 or more.
            min_step, max_step: first and last step, both included.
        """
        scan, after = Scan(keys, page_size, min_step, max_step), None
        while True:
            page = self._transport.run(row_page_call(self.path, scan, after))
            yield from page.rows
            if page.next is None:
                return
            after = int(page.next)

    def metrics(self) -> list[RunMetric]:
        """What the run logged: per metric and type the number of points, last value and extremes."""
        return self._transport.run(run_metrics_call(self.path, None))

    def system_metrics(self) -> list[RunMetric]:
        """The same of the machine the run was on: processor, memory, accelerators."""
        return self._transport.run(run_metrics_call(self.path, "system"))

    def health(self) -> Health:
        """Whether everything arrived: batches, refused values, dead letters."""
        return self._transport.run(health_call(self.path))

    def console(self, tail: int | None = None) -> list[ConsoleLine]:
        """What the run printed: all lines, or the last `tail`."""
        return self._transport.run(console_call(self.path, tail))

    def alerts(self) -> list[Alert]:
        """The run's alerts."""
        return self._transport.run(alerts_call(self.path))

    def files(self, prefix: str | None = None) -> list[File]:
        """The run's files, in order of their paths: all, or those whose path begins with `prefix`."""
        return [
            File(self._transport, self.path, file)
            for file in self._transport.run(files_call(self.path, prefix))
        ]

    def file(self, path: str) -> File:
        """One file.

        Raises:
            ServerRefused: `file_not_found`.
        """
        return File(self._transport, self.path, self._transport.run(file_call(self.path, path)))

    def upload_file(self, path: str | os.PathLike[str], root: str | os.PathLike[str] = ".") -> File:
        """Add a file, or replace the one that has its path, which is the one relative to `root`.

        Raises:
            BadPath: it is not below `root`.
            ServerRefused: the server does not take it.
        """
        record = self._transport.run(upload_file_call(self.path, Path(path), Path(root)))
        return File(self._transport, self.path, record)

    def media_keys(self) -> list[MediaKey]:
        """The keys under which the run logged media."""
        return self._transport.run(media_keys_call(self.path))

    def media(
        self, key: str, from_step: int | None = None, to_step: int | None = None, index: int | None = None
    ) -> list[Medium]:
        """What the run logged under a key, by step and place in its list.

        Args:
            from_step, to_step: first and last step, both included.
            index: of lists only the one at this place.
        """
        query = MediaQuery(key, from_step, to_step, index)
        records = self._transport.run(media_call(self.team, self.project, [self.id], query))
        return [Medium(self._transport, self.path, record) for record in records]

    def charts(self) -> Sequence[ChartInfo]:
        """The custom charts that the run logged."""
        return self._transport.run(charts_call(self.path))

    def chart(self, key: str, step: int | None = None) -> Chart:
        """A custom chart, ready to be drawn: its Vega spec filled in, and its rows.

        Args:
            step: of its table; the last one when None.
        Raises:
            ServerRefused: `chart_not_found`, or its table is not there.
        """
        return self._transport.run(chart_call(self.path, key, step))

    def histograms(
        self,
        key: str,
        from_step: int | None = None,
        to_step: int | None = None,
        columns: int = COLUMNS,
        rows: int = ROWS,
    ) -> Histograms:
        """The histograms logged under a key, as a matrix: a column for each step, or bucket of steps.

        Args:
            from_step, to_step: first and last step, both included.
            columns: at most so many, 1 to 2,000; steps beyond share columns.
            rows: cells between the lowest and the highest edge, 1 to 512.
        """
        query = HistogramQuery(key, from_step, to_step, columns, rows)
        return self._transport.run(histograms_call(self.team, self.project, [self.id], query))

    def summary_media(self) -> list[Medium]:
        """The media in the run's summary, and the arrays that are kept whole: the first 5,000 of them."""
        records = self._transport.run(summary_media_call(self.path))
        return [Medium(self._transport, self.path, record) for record in records]

    def tables(self) -> list[TableKey]:
        """The keys under which the run logged tables."""
        return self._transport.run(table_keys_call(self.path))

    def table(self, key: str, step: int | None = None, index: int = 0) -> RunTable:
        """The table that was logged under a key, at a step; without one the summary's, or else the last.

        `index` picks of a list of tables.

        Raises:
            ServerRefused: `table_not_found`, or the reason for which it cannot be read.
        """
        at = TableAt(key, step, index)
        return RunTable(self._transport, self.path, at, self._transport.run(table_call(self.path, at)))

    def stop(self) -> None:
        """Ask the run's processes to stop; they do when they next talk to the server."""
        self._transport.run(stop_run_call(self.path))

    def delete(self) -> None:
        """Delete the run with its history."""
        self._transport.run(delete_run_call(self.path))


class Runs(Sequence[Run]):
    """The runs of a query, read in pages as they are asked for; `len()` is how many there are in all."""

    def __init__(
        self, transport: BlockingTransport, team: str, project: str, query: RunQuery, per_page: int
    ) -> None:
        self._transport = transport
        self._project = (team, project)
        self._query = query
        self._per_page = per_page
        self._runs: list[Run] = []
        self._total: int | None = None
        self._cursor: str | int | None = None

    def __len__(self) -> int:
        if self._total is None:
            self._read_page()
        # Runs may start or go while pages are read.
        return self._total if self._cursor is not None and self._total is not None else len(self._runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> list[Run]: ...

    def __getitem__(self, index: int | slice) -> Run | list[Run]:
        if isinstance(index, slice):
            self._read_until(None if (index.stop or -1) < 0 or (index.start or 0) < 0 else index.stop)
            return self._runs[index]
        self._read_until(None if index < 0 else index + 1)
        return self._runs[index]

    def __iter__(self) -> Iterator[Run]:
        position = 0
        while True:
            self._read_until(position + 1)
            if position >= len(self._runs):
                return
            yield self._runs[position]
            position += 1

    def _read_until(self, count: int | None) -> None:
        """Have `count` runs, or all there are."""
        while self._has_more() and (count is None or len(self._runs) < count):
            self._read_page()

    def _has_more(self) -> bool:
        return self._total is None or self._cursor is not None

    def _read_page(self) -> None:
        call = run_page_call(*self._project, self._query, self._per_page, self._cursor)
        page = self._transport.run(call)
        self._runs += (Run(self._transport, record) for record in page.runs)
        self._total, self._cursor = page.total, page.next


def data_frame(rows: Sequence[Row]) -> "pd.DataFrame":
    """Rows as a DataFrame.

    Raises:
        LibraryMissing: pandas is not installed (`runhue[pandas]`).
    """
    frame: pd.DataFrame = library("pandas", "a DataFrame", "'runhue[pandas]'").DataFrame(list(rows))
    return frame
