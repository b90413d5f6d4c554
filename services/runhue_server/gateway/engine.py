"""Executes the GraphQL of clients on the schema of all parts."""

import functools
import inspect
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from graphql import GraphQLError
from graphql.execution import Executor, execute_sync
from graphql.pyutils import Undefined
from graphql.type import GraphQLResolveInfo

from runhue_server.gateway import leniency, sdl
from runhue_server.gateway.context import Context
from runhue_server.gateway.fields import Fields, Resolver
from runhue_server.gateway.leniency import BadQuery, Note, Operation
from runhue_server.web.problems import SERVERS_AWAY, Invalid, Problem, Unavailable

CACHED_QUERIES = 256
"""A client sends the same few dozen documents for ever; each is read once."""

MOST_VALUES = 1_000_000
"""Fields of one answer; the largest page that a client asks for has a tenth of it."""

KEPT_STATUSES = frozenset({400, 401, 403, 404, 429, 503})
RETRIED = frozenset({429, 503})
BAD_REQUEST = 400

Info = GraphQLResolveInfo[Context]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Answer:
    """An HTTP answer: `body` is the JSON object."""

    body: dict[str, Any]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class BrokenPart(Exception):
    """A module answers a field, or takes an argument, that its part of the schema does not have."""


class TooManyValues(Problem):
    """Lists within lists are more than any client reads at once."""

    code = "too_many_values"


class _LenientExecutor(Executor[None]):
    """A field that a type does not have is null in the answer: some readers fail where it is not there.

    Raises:
        TooManyValues: more than `MOST_VALUES` fields were asked for, each counted as often as it is answered.
    """

    _values = 0

    def execute_field(self, *arguments: Any) -> Any:  # the library's own
        self._values += 1
        if self._values > MOST_VALUES:
            raise TooManyValues(
                f"the answer would have more than {MOST_VALUES} values",
                limit=MOST_VALUES,
                fix="ask for smaller pages",
            )
        value = super().execute_field(*arguments)
        return None if value is Undefined else value


class Engine:
    """The schema of `parts`, and what answers it; safe for threads.

    Raises:
        BrokenPart, SchemaConflict: the parts do not fit together.
    """

    def __init__(self, parts: Iterable[Fields]) -> None:
        parts = list(parts)
        self.schema = sdl.build(part.name for part in parts)
        for part in parts:
            for (type_name, field_name), resolver in part.resolvers.items():
                self._attach(type_name, field_name, resolver)
        self.read = functools.lru_cache(CACHED_QUERIES)(self._read)

    def _read(self, query: str, operation_name: str | None) -> Operation:
        """The operation in a document; see `leniency.read`."""
        return leniency.read(self.schema, query, operation_name)

    def _attach(self, type_name: str, field_name: str, resolver: Resolver) -> None:
        fields: Mapping[str, Any] = getattr(self.schema.get_type(type_name), "fields", {})
        if field_name not in fields:
            raise BrokenPart(f"{type_name}.{field_name} is not in the schema")
        definition = fields[field_name]
        taken = _arguments_taken(resolver, definition.args)
        if not taken <= definition.args.keys():
            raise BrokenPart(
                f"{type_name}.{field_name} has no arguments {sorted(taken - definition.args.keys())}"
            )

        def resolve(source: Any, info: Info, **arguments: Any) -> Any:
            used = {name: value for name, value in arguments.items() if name in taken}
            return resolver(source, info.context, **used)

        definition.resolve = resolve

    def execute(
        self, operation: Operation, variables: Mapping[str, Any], context: Context, note: Note
    ) -> Answer:
        """Run the operation and answer it; blocks, and never raises.

        Whatever a client could get by asking again is 503 or 429. What it could not is its status when it is
        the only thing that was asked for, and an entry of `errors` beside the data otherwise; also a fault
        of this server is one, since a client asks again for minutes after a 5xx.
        """
        for kind, name in operation.unknown:
            note(kind, name)
        try:
            values = leniency.values_of(operation, variables, note)
            result = execute_sync(
                self.schema,
                operation.document,
                context_value=context,
                variable_values=values,
                executor_class=_LenientExecutor,
                field_resolver=_item,
            )
        except RecursionError:
            return refusal(BadQuery("the variables are nested too deep", field="variables"))
        return _answer(operation, result.data, result.errors or ())


def _arguments_taken(resolver: Resolver, known: Mapping[str, Any]) -> Set[str]:
    """Names of its parameters behind source and context; all that are known when it takes any."""
    parameters = list(inspect.signature(resolver).parameters.values())[2:]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return known.keys()
    return frozenset(parameter.name for parameter in parameters)


def _item(source: Any, info: Info, **_arguments: Any) -> Any:
    return source.get(info.field_name) if isinstance(source, Mapping) else None


def _answer(operation: Operation, data: dict[str, Any] | None, errors: Sequence[GraphQLError]) -> Answer:
    entries = []
    for error in errors:
        problem = _problem(operation, error)
        if problem.status in RETRIED:
            return refusal(problem)
        if len(operation.roots) == 1 and problem.status != _ServerFault.status:
            return refusal(problem)
        entries.append(entry(problem, error.path))
    entries += [entry(_unsupported(operation.roots[key]), [key]) for key in sorted(operation.unknown_roots)]
    body: dict[str, Any] = {"data": data}
    if entries:
        body["errors"] = entries
    return Answer(body)


class _ServerFault(Problem):
    """A fault of this server in one field; the log has the trace."""

    status = 200
    code = "internal_error"


class Unsupported(Problem):
    """The client asks for what this server does not do."""

    status = 200
    code = "unsupported"


def _unsupported(name: str) -> Problem:
    return Unsupported(f"this server does not do {name}", field=name)


def _problem(operation: Operation, error: GraphQLError) -> Problem:
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, Problem):
        return cause
    if isinstance(cause, psycopg.DataError):
        return Invalid(f"a value cannot be stored: {cause.diag.message_primary or cause}")
    if isinstance(cause, SERVERS_AWAY):
        _log.warning("server_away", error=str(cause), operation=operation.name)
        return Unavailable()
    _log.error("resolver_failed", operation=operation.name, path=error.path, exc_info=cause or error)
    return _ServerFault("the server failed to answer this; its log has the reason")


def entry(problem: Problem, path: Sequence[str | int] | None = None) -> dict[str, Any]:
    """A problem as an entry of `errors`; clients show `message`, so that has what to do as well."""
    message = f"{problem.detail}; {problem.fix}" if problem.fix else problem.detail
    told = {"code": problem.code, "field": problem.field, "limit": problem.limit, "fix": problem.fix}
    extensions = {name: value for name, value in told.items() if value is not None}
    return {"message": message, **({"path": list(path)} if path else {}), "extensions": extensions}


def refusal(problem: Problem) -> Answer:
    """The whole request refused.

    Old clients ask again for minutes after any 4xx but 400, 401, 403, 404 and 409, and newer ones after 409,
    so what is for good is one of the first four.
    """
    status = problem.status
    if status >= 500 or status == SLOW_BODY:
        status = Unavailable.status
    elif status not in KEPT_STATUSES:
        status = BAD_REQUEST
    headers = problem.headers()
    if status == Unavailable.status:
        headers.setdefault("Retry-After", "1")
    return Answer({"errors": [entry(problem)]}, status, headers)


SLOW_BODY = 408
