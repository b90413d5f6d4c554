"""Tables: `{columns, data}` as JSON, as both clients write it. They become Parquet and rows for Vega."""

import pyarrow as pa

from runhue_server.media.contract import Facts, Refused, Source, Workshop
from runhue_server.media.kinds.table_columns import Column, column_of
from runhue_server.media.kinds.table_json import LoggedTable, read_table, too_deep
from runhue_server.media.kinds.table_renditions import write_columns, write_vega


def inspect_table(source: Source, workshop: Workshop) -> Facts:
    """Facts `columns` (`[{name, type, min, max, nulls, nans, distinct}]`), `rows` and `media`.

    `min` and `max` are over finite numbers and null elsewhere; `distinct` counts values that are not null,
    exactly, and is null for media. Renditions: `columns` (Parquet) and `vega` (JSON).

    Raises:
        Refused: it is no such JSON, or larger than can be shown; docs/media.md has the limits.
    """
    try:
        table = read_table(source)
        columns = [column_of(name, number, table.rows) for number, name in enumerate(table.names)]
        write_columns(workshop, columns, len(table.rows))
        write_vega(workshop, table)
    except (MemoryError, pa.ArrowCapacityError):
        raise Refused(
            "table_too_large", f"a table of {source.size:,} bytes does not fit into the memory for one file"
        ) from None
    except RecursionError:
        raise too_deep() from None
    return _facts(table, columns)


def _facts(table: LoggedTable, columns: list[Column]) -> Facts:
    return {
        "columns": [
            {
                "name": column.name,
                "type": column.type,
                "min": column.low,
                "max": column.high,
                "nulls": column.nulls,
                "nans": column.nans,
                "distinct": column.distinct,
            }
            for column in columns
        ],
        "rows": len(table.rows),
        "media": {str(column.name): column.media for column in columns if column.media},
    }
