"""The value that stands for each run of a scale, found in what the run logged and was configured with.

The SQL says what `coloring/values.py` says (docs/color.md S5 to S12), for a handful of marked runs as for a
million. It is put together from which runs (`_TARGETS`), what they have (`_STATS`), and what stands for them
(`_FOUND`).
"""

from collections.abc import Iterable
from typing import LiteralString, NamedTuple

from psycopg import sql

from runhue_shared.coloring.settings import KeyType
from runhue_shared.db import Transaction
from runhue_shared.db.filtering import Condition, condition
from runhue_shared.db.scales import Scale
from runhue_shared.filters import parse_json

LONGEST_CATEGORY = 400
"""Characters of a string that are kept; longer ones are cut and told apart by their hash."""


class Runs(NamedTuple):
    """Which runs to look at: tables `scale s` and `run r`, and the ids of both.

    `of_metric` says how table `{x}` finds their rows of metric `m`, `of_type` those of one `{type}`.
    """

    source: sql.Composable
    ids: sql.Composable
    of_metric: LiteralString
    of_type: LiteralString


# Whatever the statistics, the cost of a run must not depend on how many runs have the metric: only the
# primary key serves a comparison of rows, and OFFSET 0 keeps Postgres from going through all scales.
MARKED_RUNS = Runs(
    sql.SQL(
        "unnest(%(scale_ids)s::bigint[], %(run_ids)s::bigint[]) AS t (scale_id, run_id)"
        " JOIN LATERAL (SELECT * FROM scale WHERE id = t.scale_id OFFSET 0) s ON true"
        " LEFT JOIN run r ON r.id = t.run_id AND r.project_id = s.project_id"
    ),
    sql.SQL("t.scale_id, t.run_id"),
    "({x}.run_id, {x}.metric_id) >= (t.run_id, m.id) AND ({x}.run_id, {x}.metric_id) <= (t.run_id, m.id)",
    "({x}.run_id, {x}.metric_id, {x}.type) >= (t.run_id, m.id, {type})"
    " AND ({x}.run_id, {x}.metric_id, {x}.type) <= (t.run_id, m.id, {type})",
)
"""Parameters `scale_ids` and `run_ids` (array literals) are pairs."""

EVERY_RUN = Runs(
    sql.SQL(
        "scale s JOIN run r ON r.project_id = s.project_id"
        " AND s.id = %(scale_id)s AND r.project_id = %(project_id)s"
    ),
    sql.SQL("s.id AS scale_id, r.id AS run_id"),
    "{x}.run_id = t.run_id AND {x}.metric_id = %(metric_id)s",
    "{x}.run_id = t.run_id AND {x}.metric_id = %(metric_id)s AND {x}.type = {type}",
)
"""Parameters: those of `every_run_of`, constants that let Postgres read each table once."""

_PLANS_FOR_ALL = (
    "SELECT set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'on', true),"
    " set_config('enable_bitmapscan', 'on', true), set_config('enable_hashjoin', 'on', true),"
    " set_config('enable_nestloop', 'off', true), set_config('work_mem', '64MB', true),"
    " set_config('jit', 'off', true)"
)
_EVERYBODY = sql.SQL("true")

_TARGETS = sql.SQL(
    "targets AS (SELECT {ids}, s.team_id, s.project_id, s.version, s.source, s.key, s.folded,"
    " s.y, s.coerce_numeric_strings, s.resolved_type, s.per_group, r.public_id, r.group_name, r.started_at,"
    " coalesce(r.deleted_at IS NULL AND {passes}, false) AND r.id IS NOT NULL AS member,"
    " coalesce(NOT r.public_id = ANY (s.hidden_runs), false) AS counted FROM {runs})"
)


def _text_of(json_text: str) -> sql.Composable:
    """A JSON string as text. NUL counts as the replacement character; half a surrogate pair stays escaped."""
    json = sql.SQL(r"replace({}, '\u0000', '\ufffd')").format(sql.SQL(json_text))
    return sql.SQL(
        "CASE WHEN pg_input_is_valid({json}, 'jsonb') THEN {json}::jsonb #>> '{{}}'"
        " ELSE substr({raw}, 2, length({raw}) - 2) END"
    ).format(json=json, raw=sql.SQL(json_text))


# A key with points is read from them; one that only the summary has serves all three Y values (S5).
_METRIC_STATS = """
    SELECT t.*,
        CASE WHEN u.type = 'number' THEN u.number ELSE n.last END AS latest,
        CASE WHEN u.type = 'number' THEN u.number ELSE n.fmin END AS low,
        CASE WHEN u.type = 'number' THEN u.number ELSE n.fmax END AS high,
        n.run_id IS NOT NULL OR coalesce(u.type = 'number', false) AS has_number,
        CASE WHEN u.type = 'string' THEN {summary_text}
            WHEN w.run_id IS NOT NULL THEN {logged_text} END AS string,
        CASE WHEN u.type = 'bool' THEN (u.json = 'true')::int ELSE b.last END AS bool_latest,
        CASE WHEN u.type = 'bool' THEN (u.json = 'true')::int ELSE b.fmin END AS bool_low,
        CASE WHEN u.type = 'bool' THEN (u.json = 'true')::int ELSE b.fmax END AS bool_high,
        coalesce(n.run_id, w.run_id, b.run_id) IS NULL
            AND (coalesce(u.type NOT IN ('number', 'string', 'bool', 'null'), false)
                OR EXISTS (SELECT 1 FROM run_metric o
                    WHERE {o} AND o.type NOT IN ('number', 'string', 'bool', 'null'))) AS has_other,
        coalesce(n.run_id, w.run_id, b.run_id) IS NULL
            AND (coalesce(u.type = 'null', false)
                OR EXISTS (SELECT 1 FROM run_metric z WHERE {z})) AS has_null
    FROM targets t
    LEFT JOIN metric m ON m.project_id = t.project_id AND m.stream = 'history' AND m.folded = t.folded
    LEFT JOIN run_metric n ON {n}
    LEFT JOIN run_metric w ON {w}
    LEFT JOIN run_metric b ON {b}
    LEFT JOIN run_summary u ON {u}
        AND NOT EXISTS (SELECT 1 FROM run_metric p WHERE {p} AND p.type <> 'null')
    WHERE t.source = 'metric'
"""

# S10. A number too large for a double is not finite, one too small is 0.
_CONFIG_STATS = r"""
    SELECT t.*, v.number AS latest, v.number AS low, v.number AS high, v.number IS NOT NULL AS has_number,
        CASE WHEN c.type = 'string' THEN c.string END AS string,
        c.bool::int AS bool_latest, c.bool::int AS bool_low, c.bool::int AS bool_high,
        coalesce(c.type NOT IN ('number', 'string', 'bool', 'null'), false) AS has_other,
        coalesce(c.type = 'null', false) AS has_null
    FROM targets t
    LEFT JOIN run_config c ON c.run_id = t.run_id AND c.path = t.key
    LEFT JOIN LATERAL (SELECT CASE
        WHEN c.type = 'number' THEN c.number
        WHEN c.type IS DISTINCT FROM 'string' OR NOT t.coerce_numeric_strings THEN NULL
        WHEN c.string !~ '^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$' THEN NULL
        WHEN pg_input_is_valid(c.string, 'double precision') THEN c.string::double precision
        WHEN c.string ~ '[eE]-' THEN 0
        WHEN c.string ~ '[eE]' THEN 'Infinity'
        WHEN abs(c.string::numeric) < 1 THEN 0
        ELSE 'Infinity' END AS number) v ON true
    WHERE t.source = 'config'
"""

# S7. Every row of the history has a timestamp, so its steps are the steps of the history.
_DEFAULT_STATS = """
    SELECT t.*,
        CASE t.key WHEN 'step' THEN n.last_step
            WHEN 'relative_time_wall' THEN n.last - t.started_at ELSE n.last END AS latest,
        CASE t.key WHEN 'step' THEN n.first_step
            WHEN 'relative_time_wall' THEN n.fmin - t.started_at ELSE n.fmin END AS low,
        CASE t.key WHEN 'step' THEN n.last_step
            WHEN 'relative_time_wall' THEN n.fmax - t.started_at ELSE n.fmax END AS high,
        n.run_id IS NOT NULL AS has_number, NULL::text AS string, NULL::float8 AS bool_latest,
        NULL::float8 AS bool_low, NULL::float8 AS bool_high, false AS has_other, false AS has_null
    FROM targets t
    LEFT JOIN metric m ON m.project_id = t.project_id AND m.stream = 'history' AND m.folded = t.folded
    LEFT JOIN run_metric n ON {n}
    WHERE t.source = 'default'
"""

_NO_STATS = """
    SELECT t.*, NULL::float8 AS latest, NULL::float8 AS low, NULL::float8 AS high, false AS has_number,
        NULL::text AS string, NULL::float8 AS bool_latest, NULL::float8 AS bool_low,
        NULL::float8 AS bool_high, false AS has_other, false AS has_null
    FROM targets t WHERE t.source = 'none'
"""

_STATS: dict[str, LiteralString] = {
    "metric": _METRIC_STATS,
    "config": _CONFIG_STATS,
    "default": _DEFAULT_STATS,
    "none": _NO_STATS,
}


# Aliases of tables that hold values of one type, and of those that may hold any.
_OF_TYPE = {"n": "number", "w": "string", "b": "bool", "z": "null"}
_OF_METRIC = ("u", "o", "p")


def _stats(source: str, runs: Runs) -> sql.Composable:
    if source == "config":
        return sql.SQL(_CONFIG_STATS)  # its regular expression has no placeholders
    matches = {x: sql.SQL(runs.of_metric).format(x=sql.Identifier(x)) for x in _OF_METRIC}
    for x, type_ in _OF_TYPE.items():
        matches[x] = sql.SQL(runs.of_type).format(x=sql.Identifier(x), type=sql.Literal(type_))
    return sql.SQL(_STATS[source]).format(
        **matches, summary_text=_text_of("u.json"), logged_text=_text_of("w.last_json")
    )


# S5, S6, S8, S10 to S12 as coloring/values.py has them. -0.0 + 0 is 0.0; abs(NaN) is not below Infinity.
_FOUND = sql.SQL(
    "picked AS (SELECT x.*, CASE x.resolved_type"
    "  WHEN 'number' THEN CASE x.y WHEN 'latest' THEN x.latest WHEN 'max' THEN x.high ELSE x.low END"
    "  WHEN 'bool' THEN CASE x.y WHEN 'latest' THEN x.bool_latest WHEN 'max' THEN x.bool_high"
    "   ELSE x.bool_low END END AS pick,"
    " (x.has_number::int"
    "  + CASE WHEN x.string IS NULL OR x.has_number AND x.source = 'config' THEN 0 ELSE 2 END"
    "  + CASE WHEN x.bool_latest IS NULL THEN 0 ELSE 4 END)::smallint AS types FROM stats x),"
    " found AS (SELECT p.scale_id, p.run_id, p.team_id, p.version, p.public_id, p.group_name, p.member,"
    " p.counted, p.types, CASE WHEN abs(p.pick) < 'Infinity' THEN p.pick + 0 END AS number,"
    " CASE WHEN p.resolved_type IS DISTINCT FROM 'string' THEN NULL"
    "  WHEN length(p.string) > {longest} THEN left(p.string, {longest}) || '…' || md5(p.string)"
    "  ELSE p.string END AS string,"
    " CASE WHEN p.source = 'none' OR p.pick IS NOT NULL AND abs(p.pick) < 'Infinity'"
    "   OR p.resolved_type = 'string' AND p.string IS NOT NULL THEN NULL"
    "  WHEN p.resolved_type = 'number' AND p.has_number THEN 'non_finite'"
    "  WHEN p.types > 0 OR p.has_other THEN 'type_mismatch'"
    "  WHEN p.has_null THEN 'null' ELSE 'missing' END AS reason FROM picked p)"
).format(longest=sql.Literal(LONGEST_CATEGORY))


def found_values(sources: Iterable[str], runs: Runs, passes: sql.Composable = _EVERYBODY) -> sql.Composable:
    """CTEs that end with `found`: a row per scale and run, with its value or reason.

    Args:
        sources: of the scales' keys.
        passes: what a member `run r` must fulfill, besides belonging to the project.
    """
    stats = sql.SQL(" UNION ALL ").join(_stats(source, runs) for source in sources)
    targets = _TARGETS.format(passes=passes, runs=runs.source, ids=runs.ids)
    return sql.SQL("{}, stats AS ({}), {}").format(targets, stats, _FOUND)


def passing(scale: Scale) -> Condition:
    """The filter and search of a scale as `passes`, with its parameters."""
    if not scale.is_filtered:
        return Condition(_EVERYBODY, {})
    return condition(parse_json(scale.filter), scale.search, scale.project_id)


def every_run_of(tx: Transaction, scale: Scale) -> dict[str, int | None]:
    """Parameters of `EVERY_RUN`, and plans for it: each table is read once, however wrong the statistics."""
    tx.execute(_PLANS_FOR_ALL)
    row = tx.execute(
        "SELECT m.id FROM scale s JOIN metric m ON m.project_id = s.project_id AND m.stream = 'history'"
        " AND m.folded = s.folded WHERE s.id = %s",
        (scale.id,),
    ).fetchone()
    metric_id = None if row is None else row[0]
    return {"scale_id": scale.id, "project_id": scale.project_id, "metric_id": metric_id}


def array(numbers: Iterable[int]) -> str:
    """A Postgres array literal; the driver's own dumping takes longer than the statement."""
    return f"{{{','.join(map(str, numbers))}}}"


def types_of_runs(tx: Transaction, scale: Scale) -> dict[KeyType, int]:
    """Runs that define the range, by the types they have for the key (docs/color.md S8)."""
    passes, params = passing(scale)
    found = found_values([scale.source], EVERY_RUN, passes)
    params |= every_run_of(tx, scale)
    statement = sql.SQL(
        "WITH {} SELECT coalesce(sum(types & 1), 0), coalesce(sum(types >> 1 & 1), 0),"
        " coalesce(sum(types >> 2 & 1), 0) FROM found WHERE member AND counted"
    ).format(found)
    ((numbers, strings, booleans),) = tx.execute(statement, params)
    return {"number": numbers, "string": strings, "bool": booleans}
