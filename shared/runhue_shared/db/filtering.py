"""Filters as SQL: the same meaning as `runhue_shared.filters.matches`, over the stored runs."""

from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from runhue_shared.db import Transaction
from runhue_shared.filters import And, Comparison, Field, Filter, InvalidFilter, Not, Or, comparisons

FILTER_TIMEOUT = "10s"
"""What one statement of a transaction with a user's filter may take."""

_ORDERS = {"$gt": sql.SQL(">"), "$gte": sql.SQL(">="), "$lt": sql.SQL("<"), "$lte": sql.SQL("<=")}
_TRUE, _FALSE = sql.SQL("true"), sql.SQL("false")
_DURATION = sql.SQL(
    "greatest(extract(epoch FROM coalesce(r.finished_at, r.heartbeat_at))::float8 - r.started_at, 0)"
)
_ATTRIBUTES = {
    "id": sql.SQL("r.public_id"),
    "name": sql.SQL('r.name COLLATE "C"'),
    "state": sql.SQL('r.state COLLATE "C"'),
    "group": sql.SQL('r.group_name COLLATE "C"'),
    "job_type": sql.SQL('r.job_type COLLATE "C"'),
    "notes": sql.SQL('r.notes COLLATE "C"'),
    "created_at": sql.SQL("extract(epoch FROM r.created_at)::float8"),
    "heartbeat_at": sql.SQL("extract(epoch FROM r.heartbeat_at)::float8"),
    "duration": _DURATION,
    # what the wandb client says of a run, else what our own SDK says
    "host": sql.SQL(
        "coalesce((SELECT w.host FROM run_client w WHERE w.run_id = r.id),"
        """ substring(r.metadata FROM '"host":"([^"]*)"')) COLLATE "C" """
    ),
    "username": sql.SQL(
        "coalesce((SELECT w.username FROM run_client w WHERE w.run_id = r.id),"
        ' (SELECT t.name FROM team t WHERE t.id = r.team_id)) COLLATE "C"'
    ),
}


class Condition(NamedTuple):
    """A boolean over `run r` that is never NULL, with its named parameters `f0`, `f1`, ..."""

    sql: sql.Composable
    params: dict[str, Any]


def condition(parsed: Filter, search: str | None, project_id: int) -> Condition:
    """SQL that is true of the runs `r` of the project that pass the filter and the search.

    Put it beside other conditions in a statement with named parameters. It does not test
    `r.project_id` or `r.deleted_at`. Names that begin with `f` and a digit are its own.
    `search` is a regular expression on name and id. Call `check_patterns` first, for patterns
    come from users.
    """
    params = _Params(project_id)
    test = _test(parsed, params)
    if search:
        pattern = params.add(search)
        test = sql.SQL("({} AND (r.name ~ {} OR r.public_id ~ {}))").format(test, pattern, pattern)
    return Condition(test, params.values)


def check_patterns(tx: Transaction, parsed: Filter, search: str | None) -> None:
    """Have Postgres read every regular expression, and bound this transaction's statements to 10 s.

    Raises:
        InvalidFilter: Postgres cannot read one; the message names its field and says why.
    """
    tx.execute("SELECT set_config('statement_timeout', %s, true)", (FILTER_TIMEOUT,))
    patterns = [(str(leaf.field), leaf.operand) for leaf in comparisons(parsed) if leaf.operator == "$regex"]
    if search:
        patterns.append(("search", search))
    for field, pattern in patterns:
        try:
            with tx.transaction():
                tx.execute("SELECT '' ~ %s", (pattern,))
        except psycopg.DataError as error:
            reason = error.diag.message_primary or str(error)
            raise InvalidFilter(
                field, f"{reason} in {str(pattern)[:100]!r}", "escape special characters with a backslash"
            ) from error


def duration() -> sql.Composable:
    """Seconds a run `r` took or has taken up to its last sign of life; never negative."""
    return _DURATION


def attribute(name: str) -> sql.Composable:
    """The expression over `run r` of a filterable attribute other than `tags`."""
    return _ATTRIBUTES[name]


class _Params:
    def __init__(self, project_id: int) -> None:
        self.project_id = project_id
        self.values: dict[str, Any] = {}

    def add(self, value: Any) -> sql.Placeholder:
        name = f"f{len(self.values)}"
        self.values[name] = value
        return sql.Placeholder(name)


def _test(parsed: Filter, params: _Params) -> sql.Composable:
    match parsed:
        case Not(inner):
            return sql.SQL("(NOT {})").format(_test(inner, params))
        case And(filters):
            return _joined([_test(part, params) for part in filters], " AND ", _TRUE)
        case Or(filters):
            return _joined([_test(part, params) for part in filters], " OR ", _FALSE)
        case Comparison():
            return _comparison(parsed, params)


def _joined(parts: list[sql.Composable], word: str, nothing: sql.Composable) -> sql.Composable:
    return sql.SQL("({})").format(sql.SQL(word).join(parts)) if parts else nothing


def _comparison(leaf: Comparison, params: _Params) -> sql.Composable:
    if leaf.operator == "$exists":
        exists = _any_value(leaf.field, None, params)
        return exists if leaf.operand else sql.SQL("(NOT {})").format(exists)
    if leaf.operator == "$in":
        return _among(leaf, params)
    if leaf.operator == "$eq" and leaf.operand is None:
        return _is_null(leaf.field, params)
    return _any_value(leaf.field, leaf, params)


def _among(leaf: Comparison, params: _Params) -> sql.Composable:
    """`$in` as one array test for each type among the choices."""
    choices: tuple[Any, ...] = leaf.operand  # type: ignore[assignment]  # $in holds a tuple
    groups: dict[type, list[Any]] = {}
    for choice in choices:
        groups.setdefault(type(choice), []).append(choice)
    tests = []
    for kind, members in groups.items():
        if kind is type(None):
            tests.append(_is_null(leaf.field, params))
        else:
            tests.append(_any_value(leaf.field, Comparison(leaf.field, "$in", tuple(members)), params))
    return _joined(tests, " OR ", _FALSE)


def _is_null(field: Field, params: _Params) -> sql.Composable:
    missing = sql.SQL("NOT {}").format(_any_value(field, None, params))
    if field.section == "run":
        return sql.SQL("({})").format(missing)
    null = Comparison(field, "$eq", None)
    return sql.SQL("({} OR {})").format(missing, _any_value(field, null, params))


def _any_value(field: Field, leaf: Comparison | None, params: _Params) -> sql.Composable:
    """Whether some value of the field passes `leaf`; without a leaf, whether there is a value."""
    if field.section == "config":
        return _config(field, leaf, params)
    if field.section == "summary":
        return _summary(field, leaf, params)
    return _tags(leaf, params) if field.name == "tags" else _attribute(field, leaf, params)


def _attribute(field: Field, leaf: Comparison | None, params: _Params) -> sql.Composable:
    expression = _ATTRIBUTES[field.name]
    if leaf is None:
        return sql.SQL("({} IS NOT NULL)").format(expression)
    return sql.SQL("coalesce({}, false)").format(_scalar_test(expression, leaf, params))


def _tags(leaf: Comparison | None, params: _Params) -> sql.Composable:
    if leaf is None:
        return sql.SQL("(cardinality(r.tags) > 0)")
    test = _scalar_test(sql.SQL('tag COLLATE "C"'), leaf, params)
    return sql.SQL("EXISTS (SELECT 1 FROM unnest(r.tags) AS tag WHERE {})").format(test)


def _scalar_test(expression: sql.Composable, leaf: Comparison, params: _Params) -> sql.Composable:
    """`leaf` over an expression of the operand's own SQL type."""
    if leaf.operator == "$in":
        return sql.SQL("{} = ANY({})").format(expression, params.add(list(_tuple(leaf))))
    if leaf.operator == "$regex":
        return sql.SQL("{} ~ {}").format(expression, params.add(leaf.operand))
    if leaf.operator == "$eq":
        return sql.SQL("{} = {}").format(expression, params.add(leaf.operand))
    test = sql.SQL("{} {} {}").format(expression, _ORDERS[leaf.operator], params.add(leaf.operand))
    if isinstance(leaf.operand, float):  # Postgres sorts NaN above every number; in a filter it has no order
        return sql.SQL("({} AND {} <> 'NaN')").format(test, expression)
    return test


def _tuple(leaf: Comparison) -> tuple[Any, ...]:
    return leaf.operand if isinstance(leaf.operand, tuple) else (leaf.operand,)


class _Typed(NamedTuple):
    """Where one typed value lies: its type, and its value read as each."""

    type: sql.Composable
    number: sql.Composable
    string: sql.Composable
    boolean: sql.Composable


def _of_json(table: str, number: str) -> _Typed:
    column = sql.Identifier(table, "json" if table == "s" else "last_json")
    return _Typed(
        type=sql.Identifier(table, "type"),
        number=sql.Identifier(table, number),
        # text holds no NUL: in a filter it counts as the replacement character
        string=sql.SQL(r"""(replace({}, '\u0000', '\ufffd')::json #>> '{{}}') COLLATE "C" """).format(column),
        boolean=sql.SQL("({} = 'true')").format(column),
    )


_CONFIG = _Typed(
    sql.Identifier("c", "type"),
    sql.Identifier("c", "number"),
    sql.SQL('c.string COLLATE "C"'),
    sql.Identifier("c", "bool"),
)
_MANUAL = _of_json("s", "number")
_LOGGED = _of_json("l", "last")


def _typed_test(place: _Typed, leaf: Comparison | None, params: _Params) -> sql.Composable:
    """`leaf` over a typed value: true only when the value has the operand's type."""
    if leaf is None:
        return _TRUE
    operand = _tuple(leaf)[0]
    if operand is None:
        return sql.SQL("{} = 'null'").format(place.type)
    if isinstance(operand, bool):
        return sql.SQL("({} = 'bool' AND {})").format(place.type, _scalar_test(place.boolean, leaf, params))
    if isinstance(operand, float):
        return sql.SQL("({} = 'number' AND {})").format(place.type, _scalar_test(place.number, leaf, params))
    # CASE, not AND: Postgres may test in any order, and only a string's JSON is text
    test = _scalar_test(place.string, leaf, params)
    return sql.SQL("CASE WHEN {} = 'string' THEN {} ELSE false END").format(place.type, test)


def _config(field: Field, leaf: Comparison | None, params: _Params) -> sql.Composable:
    return sql.SQL(
        "EXISTS (SELECT 1 FROM run_config c"
        " WHERE c.run_id = r.id AND c.project_id = {} AND c.path = {} AND {})"
    ).format(params.add(params.project_id), params.add(field.name), _typed_test(_CONFIG, leaf, params))


def _summary(field: Field, leaf: Comparison | None, params: _Params) -> sql.Composable:
    """A value set by hand wins over logged ones; of logged types the last point's counts."""
    metric = sql.SQL(
        "(SELECT m.id FROM metric m WHERE m.project_id = {} AND m.stream = 'history' AND m.folded = {})"
    ).format(params.add(params.project_id), params.add(field.name.casefold()))
    manual = sql.SQL(
        "EXISTS (SELECT 1 FROM run_summary s WHERE s.run_id = r.id AND s.metric_id = {} AND {})"
    ).format(metric, _typed_test(_MANUAL, leaf, params))
    logged = sql.SQL(
        "EXISTS (SELECT 1 FROM run_metric l WHERE l.run_id = r.id AND l.metric_id = {} AND {}"
        " AND NOT EXISTS (SELECT 1 FROM run_summary h"
        " WHERE h.run_id = l.run_id AND h.metric_id = l.metric_id)"
        " AND NOT EXISTS (SELECT 1 FROM run_metric o WHERE o.run_id = l.run_id AND o.metric_id = l.metric_id"
        " AND (o.last_step, o.last_ord) > (l.last_step, l.last_ord)))"
    ).format(metric, _typed_test(_LOGGED, leaf, params))
    return sql.SQL("({} OR {})").format(manual, logged)
