"""How lists of runs are sorted, so that their pages neither repeat nor skip."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from psycopg import sql

from runhue_shared.db.filtering import attribute, duration
from runhue_shared.filters import Field


class Order(NamedTuple):
    """What a list is sorted by: an attribute, or a config or summary key, whose missing values come last."""

    field: Field
    descending: bool


class SortKey(NamedTuple):
    """One expression to sort by. `type` is how a place's value is read back."""

    expression: sql.Composable
    descending: bool
    type: Literal["text", "timestamptz", "float8", "int"]


def stored_name(field: Field) -> str:
    """The text under which the field's values are stored."""
    return field.name.casefold() if field.section == "summary" else field.name


def sort_keys(orders: Sequence[Order]) -> tuple[sql.Composable, list[SortKey]]:
    """(joins, keys): the last key is the run's id, none is ever NULL.

    The joins ask `%(project)s`, and `%(sort0)s`, `%(sort1)s`, ... for each field's `stored_name`.
    """
    joins: list[sql.Composable] = []
    keys: list[SortKey] = []
    for place, order in enumerate(orders):
        if order.field.section == "run":
            keys.append(_attribute_key(order))
        else:
            value = _CONFIG_VALUE if order.field.section == "config" else _SUMMARY_VALUE
            table = sql.Identifier(f"v{place}")
            key = sql.Placeholder(f"sort{place}")
            joins.append(value.format(ranked=_RANKED, key=key, table=table))
            keys += _value_keys(table, order.descending)
    keys.append(SortKey(sql.SQL("r.id"), orders[-1].descending, "int"))
    return sql.SQL(" ").join(joins), keys


def _attribute_key(order: Order) -> SortKey:
    name, down = order.field.name, order.descending
    if name in ("created_at", "heartbeat_at"):
        return SortKey(sql.Identifier("r", name), down, "timestamptz")
    if name == "duration":
        return SortKey(duration(), down, "float8")
    return SortKey(sql.SQL("coalesce({}, '')").format(attribute(name)), down, "text")


def _value_keys(table: sql.Identifier, down: bool) -> list[SortKey]:
    return [
        SortKey(sql.SQL("coalesce({}.rank, 9)").format(table), False, "int"),
        SortKey(sql.SQL("coalesce({}.number, 0)").format(table), down, "float8"),
        SortKey(sql.SQL("""coalesce({}.string, '') COLLATE "C" """).format(table), down, "text"),
    ]


# Numbers come before booleans, booleans before strings; NaN, null, lists and missing keys come last.
_RANKED = sql.SQL(
    "CASE WHEN x.type = 'number' AND x.number <> 'NaN' THEN 0 WHEN x.type = 'bool' THEN 1"
    " WHEN x.type = 'string' THEN 2 ELSE 9 END AS rank,"
    " CASE WHEN x.type = 'number' AND x.number <> 'NaN' THEN x.number"
    " WHEN x.type = 'bool' THEN x.bool::int::float8 END AS number,"
    " CASE WHEN x.type = 'string' THEN x.string END AS string"
)
_CONFIG_VALUE = sql.SQL(
    "LEFT JOIN (SELECT x.run_id, {ranked} FROM run_config x"
    " WHERE x.project_id = %(project)s AND x.path = {key}) {table} ON {table}.run_id = r.id"
)
_SUMMARY_VALUE = sql.SQL(
    "LEFT JOIN (SELECT x.run_id, {ranked} FROM (SELECT DISTINCT ON (y.run_id) y.run_id, y.type,"
    " y.number, y.json = 'true' AS bool, CASE WHEN y.type = 'string'"
    r"  THEN replace(y.json, '\u0000', '\ufffd')::json #>> '{{}}' END AS string"
    " FROM (SELECT s.run_id, s.type, s.number, s.json, 1 AS manual, 0::bigint AS last_step,"
    "   0::bigint AS last_ord FROM run_summary s JOIN metric m ON m.id = s.metric_id"
    "   WHERE m.project_id = %(project)s AND m.stream = 'history' AND m.folded = {key}"
    "  UNION ALL SELECT l.run_id, l.type, l.last, l.last_json, 0, l.last_step, l.last_ord"
    "   FROM run_metric l JOIN metric m ON m.id = l.metric_id"
    "   WHERE m.project_id = %(project)s AND m.stream = 'history' AND m.folded = {key}) y"
    " ORDER BY y.run_id, y.manual DESC, y.last_step DESC, y.last_ord DESC) x) {table}"
    " ON {table}.run_id = r.id"
)


def place_of(keys: list[SortKey]) -> sql.Composable:
    """The values of a place, as texts."""
    return sql.SQL(", ").join(sql.SQL("({})::text").format(key.expression) for key in keys)


def ordered_by(keys: list[SortKey]) -> sql.Composable:
    """What stands behind ORDER BY."""
    return sql.SQL(", ").join(
        sql.SQL("{} DESC" if key.descending else "{}").format(key.expression) for key in keys
    )


def behind(keys: list[SortKey]) -> sql.Composable:
    """Lexicographically behind `place0, place1, ...`; one row comparison where the directions agree."""
    values = [sql.SQL("{}::" + key.type).format(sql.Placeholder(f"place{i}")) for i, key in enumerate(keys)]
    start = next(i for i in range(len(keys)) if len({key.descending for key in keys[i:]}) == 1)
    test: sql.Composable = sql.SQL("({}) {} ({})").format(
        sql.SQL(", ").join(key.expression for key in keys[start:]),
        sql.SQL("<" if keys[-1].descending else ">"),
        sql.SQL(", ").join(values[start:]),
    )
    for key, value in reversed(list(zip(keys[:start], values[:start], strict=True))):
        sign = sql.SQL("<" if key.descending else ">")
        test = sql.SQL("({k} {s} {v} OR ({k} = {v} AND {rest}))").format(
            k=key.expression, s=sign, v=value, rest=test
        )
    return test
