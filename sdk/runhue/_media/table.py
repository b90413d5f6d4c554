"""`runhue.Table`: rows and columns, whose cells may hold media."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

from runhue._errors import BadMedia
from runhue._media.column_types import Cell, ColumnType, column_types
from runhue._media.libraries import library
from runhue._media.media import Media, Place
from runhue._media.text import json_bytes
from runhue._values import as_media_value, plain

DEFAULT_COLUMNS = ("Input", "Output", "Expected")
LogMode = Literal["IMMUTABLE", "MUTABLE", "INCREMENTAL"]
LOG_MODES = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")


@dataclass(frozen=True)
class Increments:
    """What an incremental table has logged under one key of one run: paths of its files, and rows in them."""

    paths: tuple[str, ...] = ()
    rows: int = 0


class Table(Media):
    """Rows of values under named columns. What it holds when it is logged is stored.

    Args:
        columns: names of the columns.
        data: rows, a 2-D array, or a DataFrame.
        rows: an older name of `data`.
        dataframe: a pandas DataFrame; `columns` and `data` are then ignored.
        dtype: a type, or a list with one for each column, which cells must have, see `ColumnType`;
            by default a cell keeps the type it has, and a column may mix them.
        optional: False, for all columns or for each, where None is not allowed.
        allow_mixed_types: do without `dtype`.
        log_mode: "IMMUTABLE" and "MUTABLE" store the whole table with each log, "INCREMENTAL" the rows
            that were added since the last one under its key.
    Raises:
        BadMedia: a row of another length than the columns, rows that are none, a cell of another type, or
            two columns of one name.
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
        self._increments: WeakKeyDictionary[object, dict[str, Increments]] = WeakKeyDictionary()
        if dataframe is not None and not is_frame(dataframe):
            raise BadMedia(f"Table: dataframe must be a DataFrame of pandas, got {type(dataframe).__name__}")
        frame = dataframe if dataframe is not None else data if is_frame(data) else None
        self.columns = _column_names(list(frame.columns) if frame is not None else columns)
        types = column_types(None if allow_mixed_types else dtype, optional, len(self.columns))
        self._types = dict(zip(self.columns, types, strict=True))
        self.data: list[list[Cell]] = []
        for row in _rows_of(frame if frame is not None else data if data is not None else rows):
            self.add_data(*row)

    def add_data(self, *data: Cell) -> None:
        """Add a row.

        Raises:
            BadMedia: another number of values than columns, or one of another type than `dtype` says.
        """
        if len(data) != len(self.columns):
            raise BadMedia(
                f"Table.add_data takes one value for each of the {len(self.columns)} columns"
                f" {self.columns}, got {len(data)}"
            )
        for column, cell in zip(self.columns, data, strict=True):
            self._type_of(column).check(cell, column)
        self.data.append(list(data))

    add_row = add_data
    """An older name."""

    def add_column(self, name: str | int, data: Any, optional: bool = False) -> None:  # sequence or array
        """Add a column, as long as the others; `optional` is taken for old scripts.

        Raises:
            BadMedia: the column is there already, of another length than the table, or rows of an
                incremental table are logged already.
        """
        del optional
        if self._increments:
            raise BadMedia(
                f"Table.add_column: {name!r} must be added before an INCREMENTAL table is first logged"
            )
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

    def add_computed_columns(self, fn: Callable[[int, dict[str | int, Cell]], dict[str, Cell]]) -> None:
        """Add the columns that `fn` makes of each row's number and of its values by column.

        Raises:
            BadMedia: it does not give the same columns for each row, or `add_column` refuses one.
        """
        made = [fn(number, dict(zip(self.columns, row, strict=True))) for number, row in self.iterrows()]
        for number, row in enumerate(made):
            if not isinstance(row, dict) or set(row) != set(made[0]):
                raise BadMedia(
                    f"Table.add_computed_columns: fn must give a dict with the same columns for each row,"
                    f" got {row!r:.80} for row {number}"
                )
        for name in made[0] if made else ():
            self.add_column(name, [row[name] for row in made])

    def cast(self, col_name: str | int, dtype: object, optional: bool = False) -> None:
        """Hold the cells of a column, and those to come, to a type, see `ColumnType`.

        Raises:
            BadMedia: there is no such column, or a cell of another type.
        """
        column_type = column_types(dtype, optional, 1)[0]
        for cell in self.get_column(col_name):
            column_type.check(cell, col_name)
        self._types[col_name] = column_type

    def _type_of(self, column: str | int) -> ColumnType:
        return self._types.get(column) or ColumnType()

    def get_index(self) -> list[int]:
        """The numbers of the rows, for a column of another table that refers to them."""
        return list(range(len(self.data)))

    def index_ref(self, index: int) -> int:
        """The number of a row, for a cell that refers to it.

        Raises:
            BadMedia: there is no such row.
        """
        if not 0 <= index < len(self.data):
            raise BadMedia(f"Table.index_ref: index must be below {len(self.data)}, got {index}")
        return index

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
        return library("pandas", "Table.get_dataframe", "'runhue[pandas]'").DataFrame(
            self.data, columns=self.columns
        )

    def iterrows(self) -> Iterable[tuple[int, list[Cell]]]:
        """(number, values) of each row."""
        yield from enumerate(self.data)

    def stored(self, place: Place) -> dict[str, Any]:
        """`{_type: table-file, path, sha256, size, ncols, nrows, log_mode}`; the file is `{columns, data}`.

        A cell that holds media is in the file what history would have for it. Of an incremental table
        the file has the rows that are new under this key, `_type` is `incremental-table-file`, and
        `increment_num` (from 0) and `previous_increments_paths` say what comes before them. In the
        summary it is stored whole.

        Raises:
            BadMedia: more than `MAX_ROWS` rows, or a cell that cannot be stored.
        """
        if self.log_mode == "INCREMENTAL" and place.step is not None:
            return self._stored_increment(place)
        return {"_type": "table-file", **self._stored_rows(0, place)}

    def _stored_increment(self, place: Place) -> dict[str, Any]:
        before = self._increments.get(place.run_files, {}).get(place.key, Increments())
        rows = len(self.data)
        value = {"_type": "incremental-table-file", **self._stored_rows(before.rows, place)}
        value["increment_num"] = len(before.paths)
        value["previous_increments_paths"] = list(before.paths)
        after = Increments((*before.paths, value["path"]), rows)
        files, key = place.run_files, place.key
        place.when_recorded(lambda: self._increments.setdefault(files, {}).update({key: after}))
        return value

    def _stored_rows(self, first: int, place: Place) -> dict[str, Any]:
        """The rows from number `first` on as a file."""
        rows = self.data[first:]
        if len(rows) > self.MAX_ROWS:
            raise BadMedia(
                f"{place.key}: a Table is logged with at most {self.MAX_ROWS:,} rows, this one has"
                f" {len(rows):,}: assign runhue.Table.MAX_ROWS to allow more"
            )
        cells = [
            [_stored_cell(cell, place, f"{place.key} row {number}") for cell in row]
            for number, row in enumerate(rows, first)
        ]
        content = json_bytes({"columns": self.columns, "data": cells})
        value = place.add_file(content, "table", "table.json")
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
    twice = [text for text, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise BadMedia(f"Table: columns must have different names, {twice[0]!r} comes more than once")
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
