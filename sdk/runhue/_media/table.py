"""`runhue.Table`: rows and columns, whose cells may hold media."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

from runhue._errors import BadMedia
from runhue._media.libraries import library
from runhue._media.media import Media, Place
from runhue._media.text import json_bytes
from runhue._values import as_media_value, plain

DEFAULT_COLUMNS = ("Input", "Output", "Expected")
LogMode = Literal["IMMUTABLE", "MUTABLE", "INCREMENTAL"]
LOG_MODES = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")

Cell = Any
"""What a cell holds: whatever can be logged."""


class Table(Media):
    """Rows of values under named columns. What it holds when it is logged is stored.

    Args:
        columns: names of the columns.
        data: rows, a 2-D array, or a DataFrame.
        rows: an older name of `data`.
        dataframe: a pandas DataFrame; `columns` and `data` are then ignored.
        dtype, optional, allow_mixed_types: taken for old scripts; a cell keeps the type it has.
        log_mode: "IMMUTABLE", "MUTABLE" or "INCREMENTAL", stored; each log stores the whole table.
    Raises:
        BadMedia: a row of another length than the columns, or rows that are none.
    """

    MAX_ROWS: ClassVar[int] = 10_000
    """At most so many rows are logged; assign `Table.MAX_ROWS` to allow more."""

    def __init__(
        self,
        columns: Sequence[str | int] | None = None,
        data: Any = None,  # rows, 2-D array or DataFrame
        rows: Any = None,  # as data
        dataframe: Any = None,  # pandas.DataFrame
        dtype: object = None,
        optional: bool | list[bool] = True,
        allow_mixed_types: bool = False,
        log_mode: LogMode | None = "IMMUTABLE",
    ) -> None:
        if log_mode is not None and log_mode not in LOG_MODES:
            raise BadMedia(f"Table: log_mode must be one of {', '.join(LOG_MODES)}, got {log_mode!r}")
        self.log_mode = log_mode
        self._column_hints = (dtype, optional, allow_mixed_types)
        frame = dataframe if dataframe is not None else data if is_frame(data) else None
        self.columns = _column_names(list(frame.columns) if frame is not None else columns)
        self.data: list[list[Cell]] = []
        for row in _rows_of(frame if frame is not None else data if data is not None else rows):
            self.add_data(*row)

    def add_data(self, *data: Cell) -> None:
        """Add a row.

        Raises:
            BadMedia: another number of values than columns.
        """
        if len(data) != len(self.columns):
            raise BadMedia(
                f"Table.add_data takes one value for each of the {len(self.columns)} columns"
                f" {self.columns}, got {len(data)}"
            )
        self.data.append(list(data))

    add_row = add_data
    """An older name."""

    def add_column(self, name: str | int, data: Any, optional: bool = False) -> None:  # sequence or array
        """Add a column, as long as the others; `optional` is taken for old scripts.

        Raises:
            BadMedia: the column is there already, or of another length than the table.
        """
        del optional
        values = _values_of(data)
        if name in self.columns:
            raise BadMedia(f"Table.add_column: there is a column {name!r} already")
        if self.columns and len(values) != len(self.data):
            raise BadMedia(f"Table.add_column: {name!r} must have {len(self.data)} values, got {len(values)}")
        if not self.columns:
            self.data = [[] for _ in values]
        self.columns.append(name)
        for row, value in zip(self.data, values, strict=True):
            row.append(value)

    def get_column(
        self, name: str | int, convert_to: Literal["numpy"] | None = None
    ) -> Any:  # list or ndarray
        """The values of a column; as an array with `convert_to="numpy"`.

        Raises:
            BadMedia: there is no such column.
            LibraryMissing: numpy is not installed.
        """
        if convert_to not in {None, "numpy"}:
            raise BadMedia(f"Table.get_column: convert_to must be None or 'numpy', got {convert_to!r}")
        if name not in self.columns:
            raise BadMedia(f"Table.get_column: there is no column {name!r}, there are {self.columns}")
        at = self.columns.index(name)
        values = [row[at] for row in self.data]
        return values if convert_to is None else library("numpy", "Table.get_column").array(values)

    def get_dataframe(self) -> Any:  # pandas.DataFrame
        """The table as a DataFrame.

        Raises:
            LibraryMissing: pandas is not installed.
        """
        return library("pandas", "Table.get_dataframe", "pandas").DataFrame(self.data, columns=self.columns)

    def iterrows(self) -> Iterable[tuple[int, list[Cell]]]:
        """(number, values) of each row."""
        yield from enumerate(self.data)

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: table-file, path, sha256, size, ncols, nrows, log_mode}`; the file is `{columns, data}`.

        A cell that holds media is in the file what history would have for it.

        Raises:
            BadMedia: more than `MAX_ROWS` rows, or a cell that cannot be stored.
        """
        if len(self.data) > self.MAX_ROWS:
            raise BadMedia(
                f"{place.key}: a Table is logged with at most {self.MAX_ROWS:,} rows, this one has"
                f" {len(self.data):,}: assign runhue.Table.MAX_ROWS to allow more"
            )
        cells = [
            [_stored_cell(cell, place, f"{place.key} row {number}") for cell in row]
            for number, row in enumerate(self.data)
        ]
        content = json_bytes({"columns": self.columns, "data": cells})
        value = {"_type": "table-file", **place.add_file(content, "table", "table.json")}
        value |= {"ncols": len(self.columns), "nrows": len(self.data)}
        if self.log_mode is not None:
            value["log_mode"] = self.log_mode
        return value


def is_frame(value: object) -> bool:
    """True for a pandas DataFrame."""
    return type(value).__module__.startswith("pandas") and type(value).__name__ == "DataFrame"


def as_media(value: object) -> Table | None:
    """A DataFrame as a table; None for anything else."""
    return Table(dataframe=value) if is_frame(value) else None


def _stored_cell(cell: Cell, place: Place, name: str) -> Any:  # plain
    if cell is None or isinstance(cell, float | bool):
        return plain(cell, name)
    media = as_media_value(cell)
    return plain(cell, name, lenient=True) if media is None else media.stored(place)


def _without_gap(cell: Cell) -> Cell:
    """The cell, None for one of pandas' words for nothing."""
    return None if type(cell).__name__ in {"NAType", "NaTType"} else cell


def _column_names(columns: Any) -> list[str | int]:  # any sequence
    if columns is None:
        return list(DEFAULT_COLUMNS)
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise BadMedia(f"Table: columns must be a list of names, got {columns!r:.80}")
    names = [name.item() if hasattr(name, "item") else name for name in columns]
    for name in names:
        if not isinstance(name, str | int):
            raise BadMedia(f"Table: a column's name must be a str or an int, got {name!r}")
    return names


def _rows_of(data: Any) -> Iterable[Sequence[Cell]]:  # rows, array, DataFrame or None
    if data is None:
        return ()
    if is_frame(data):
        return [[_without_gap(cell) for cell in row] for row in data.itertuples(index=False, name=None)]
    if hasattr(data, "tolist"):
        data = data.tolist()
    if isinstance(data, str) or not isinstance(data, Iterable):
        raise BadMedia(f"Table: data must be a list of rows, got {type(data).__name__}")
    rows = list(data)
    for number, row in enumerate(rows):
        if not isinstance(row, list | tuple) and not hasattr(row, "tolist"):
            raise BadMedia(f"Table: row {number} must be a list of values, got {row!r:.80}")
    return rows


def _values_of(data: Any) -> list[Cell]:  # sequence or array
    return data.tolist() if hasattr(data, "tolist") else list(data)
