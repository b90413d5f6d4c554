"""Documents of clients are read as they were meant, whatever our schema says of them.

The server that a client was written for may know fields, arguments and types that this one does not, and the
next release of the client will ask for more. So nothing is validated: `read` makes of a document one that the
executor takes, and a list of what was not known.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    parse,
)
from graphql.language import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    NameNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    TypeNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

from runhue_server.gateway.unknown import Kind
from runhue_server.web.problems import Problem

LONGEST_QUERY = 256 * 1024
MOST_TOKENS = 20_000
DEEPEST = 40
MOST_FIELDS = 5_000
"""Fields of a document with its fragments written out; the largest that a client sends has some 200."""

DIRECTIVES = {one.name: one for one in (GraphQLIncludeDirective, GraphQLSkipDirective)}
Note = Callable[[Kind, str], None]
MISSING = object()
"""The value of an argument that did not come."""


class BadQuery(Problem):
    """What came is no GraphQL, or more of it than a client ever sends."""

    status = 400
    code = "bad_query"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument in a document: its value there, and the type that it is to have."""

    type: GraphQLInputType
    value: ValueNode


@dataclass(frozen=True, slots=True)
class Operation:
    """A document, ready to be executed.

    Each argument is a variable of `document` named by its key in `arguments`; `defaults` are those of the
    client's own variables. `roots` maps response keys to root fields, and `unknown_roots` are those among
    them that we do not have. `paths` are the dotted paths of fields, up to `PATH_DEPTH` of them, and `fields`
    all of them at any depth, as `Type.field`.
    """

    name: str
    is_mutation: bool
    document: DocumentNode
    arguments: Mapping[str, Argument]
    defaults: Mapping[str, Any]
    roots: Mapping[str, str]
    unknown_roots: frozenset[str]
    paths: frozenset[str]
    fields: frozenset[str]
    unknown: tuple[tuple[Kind, str], ...]


PATH_DEPTH = 3


def read(schema: GraphQLSchema, query: str, operation_name: str | None) -> Operation:
    """The operation of that name in `query`, or its first.

    Raises:
        BadQuery: it is no GraphQL, has no operation, or is larger or deeper than the limits here.
    """
    if len(query) > LONGEST_QUERY:
        raise BadQuery(
            f"the query has more than {LONGEST_QUERY} characters", field="query", limit=LONGEST_QUERY
        )
    try:
        document = parse(query, no_location=True, max_tokens=MOST_TOKENS)
        return _Reader(schema, document).operation(operation_name)
    except GraphQLError as error:
        raise BadQuery(error.message, field="query") from None
    except RecursionError:
        raise BadQuery(
            f"the query is nested more than {DEEPEST} deep", field="query", limit=DEEPEST
        ) from None


class _Reader:
    """Rewrites one operation: fragments are written out, arguments become variables."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
        self._fragments = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._arguments: dict[str, Argument] = {}
        self._unknown: dict[tuple[Kind, str], None] = {}
        self._paths: set[str] = set()
        self._asked: set[str] = set()
        self._roots: dict[str, str] = {}
        self._unknown_roots: set[str] = set()
        self._fields = 0

    def operation(self, name: str | None) -> Operation:
        node = self._chosen(name)
        is_mutation = node.operation is OperationType.MUTATION
        root = self._schema.mutation_type if is_mutation else self._schema.query_type
        if root is None or node.operation is OperationType.SUBSCRIPTION:
            raise BadQuery("this server has no subscriptions", field="query")
        selections = self._selections(node.selection_set, root, ())
        for definition in node.variable_definitions or ():
            self._note_type(definition.type)
        variables = tuple(
            VariableDefinitionNode(
                variable=VariableNode(name=NameNode(value=key)),
                type=NamedTypeNode(name=NameNode(value="JSON")),
            )
            for key in self._arguments
        )
        rewritten = OperationDefinitionNode(
            operation=node.operation, variable_definitions=variables, selection_set=selections
        )
        return Operation(
            name=node.name.value if node.name else "",
            is_mutation=is_mutation,
            document=DocumentNode(definitions=(rewritten,)),
            arguments=self._arguments,
            defaults=_defaults(node),
            roots=self._roots,
            unknown_roots=frozenset(self._unknown_roots),
            paths=frozenset(self._paths),
            fields=frozenset(self._asked),
            unknown=tuple(self._unknown),
        )

    def _chosen(self, name: str | None) -> OperationDefinitionNode:
        if not self._operations:
            raise BadQuery("the query has no operation", field="query")
        named = (one for one in self._operations if name and one.name and one.name.value == name)
        return next(named, self._operations[0])

    def _note_type(self, node: TypeNode) -> None:
        while not isinstance(node, NamedTypeNode):
            node = node.type  # type: ignore[attr-defined]  # lists and non-nulls have one
        if self._schema.get_type(node.name.value) is None:
            self._unknown["type", node.name.value] = None

    def _selections(
        self, node: SelectionSetNode, parent: GraphQLNamedType, path: tuple[str, ...], depth: int = 1
    ) -> SelectionSetNode:
        if depth > DEEPEST:
            raise BadQuery(f"the query is nested more than {DEEPEST} deep", field="query", limit=DEEPEST)
        kept: list[SelectionNode] = []
        for selection in node.selections:
            self._fields += 1
            if self._fields > MOST_FIELDS:
                raise BadQuery(
                    f"the query has more than {MOST_FIELDS} fields", field="query", limit=MOST_FIELDS
                )
            if isinstance(selection, FieldNode):
                kept.append(self._field(selection, parent, path, depth))
            elif (inline := self._fragment(selection, parent, path, depth)) is not None:
                kept.append(inline)
        return SelectionSetNode(selections=tuple(kept))

    def _field(
        self, node: FieldNode, parent: GraphQLNamedType, path: tuple[str, ...], depth: int
    ) -> FieldNode:
        name = node.name.value
        here = (*path, name)
        if len(here) <= PATH_DEPTH:
            self._paths.add(".".join(here))
        definition = None if isinstance(parent, GraphQLUnionType) else self._schema.get_field(parent, name)  # type: ignore[arg-type]  # only composite types are walked
        if not path:
            self._note_root(node, known=definition is not None)
        directives = self._directives(node.directives or ())
        if definition is None:
            if path and name != "__typename":
                self._unknown["field", f"{parent.name}.{name}"] = None
            return FieldNode(name=node.name, alias=node.alias, directives=directives)
        self._asked.add(f"{parent.name}.{name}")
        inner = get_named_type(definition.type)
        selections = None
        if node.selection_set is not None and is_composite_type(inner):
            selections = self._selections(node.selection_set, inner, here, depth + 1)
        return FieldNode(
            name=node.name,
            alias=node.alias,
            arguments=self._hoisted(f"{parent.name}.{name}", node.arguments or (), definition.args),
            directives=directives,
            selection_set=selections,
        )

    def _note_root(self, node: FieldNode, *, known: bool) -> None:
        key = (node.alias or node.name).value
        self._roots[key] = node.name.value
        if not known:
            self._unknown_roots.add(key)
            self._unknown["operation", node.name.value] = None

    def _fragment(
        self, node: SelectionNode, parent: GraphQLNamedType, path: tuple[str, ...], depth: int
    ) -> InlineFragmentNode | None:
        fragment: SelectionNode | FragmentDefinitionNode | None = node
        if isinstance(node, FragmentSpreadNode):
            fragment = self._fragments.get(node.name.value)
        if not isinstance(fragment, InlineFragmentNode | FragmentDefinitionNode):
            return None
        condition = fragment.type_condition
        if condition is not None:
            known = self._schema.get_type(condition.name.value)
            if known is None or not is_composite_type(known):
                self._unknown["type", condition.name.value] = None
                return None
            parent = known
        return InlineFragmentNode(
            type_condition=condition,
            directives=self._directives(node.directives or ()),
            selection_set=self._selections(fragment.selection_set, parent, path, depth + 1),
        )

    def _directives(self, nodes: tuple[DirectiveNode, ...]) -> tuple[DirectiveNode, ...]:
        kept = []
        for node in nodes:
            definition = DIRECTIVES.get(node.name.value)
            if definition is None:
                self._unknown["argument", f"@{node.name.value}"] = None
                continue
            arguments = self._hoisted(f"@{definition.name}", node.arguments or (), definition.args)
            if arguments:
                kept.append(DirectiveNode(name=node.name, arguments=arguments))
        return tuple(kept)

    def _hoisted(
        self, owner: str, nodes: tuple[ArgumentNode, ...], known: Mapping[str, Any]
    ) -> tuple[ArgumentNode, ...]:
        kept = []
        for node in nodes:
            definition = known.get(node.name.value)
            if definition is None:
                self._unknown["argument", f"{owner}({node.name.value})"] = None
                continue
            key = f"a{len(self._arguments)}"
            self._arguments[key] = Argument(definition.type, node.value)
            kept.append(ArgumentNode(name=node.name, value=VariableNode(name=NameNode(value=key))))
        return tuple(kept)


def _defaults(node: OperationDefinitionNode) -> dict[str, Any]:
    return {
        definition.variable.name.value: plain(definition.default_value, {})
        for definition in node.variable_definitions or ()
        if definition.default_value is not None
    }


def values_of(operation: Operation, variables: Mapping[str, Any], note: Note) -> dict[str, Any]:
    """The values of an operation's arguments, of their types; one that did not come is left out."""
    given = {**operation.defaults, **variables}
    values = {}
    for key, argument in operation.arguments.items():
        value = plain(argument.value, given)
        if value is MISSING and isinstance(argument.type, GraphQLNonNull):
            value = None  # the condition of a directive
        if value is not MISSING:
            values[key] = fitted(value, argument.type, note)
    return values


def plain(node: ValueNode, variables: Mapping[str, Any]) -> Any:
    """The JSON value of a literal; `MISSING` for a variable that is not among `variables`."""
    if isinstance(node, VariableNode):
        return variables.get(node.name.value, MISSING)
    if isinstance(node, ListValueNode):
        items = [plain(item, variables) for item in node.values]
        return [None if item is MISSING else item for item in items]
    if isinstance(node, ObjectValueNode):
        pairs = [(field.name.value, plain(field.value, variables)) for field in node.fields]
        return {name: value for name, value in pairs if value is not MISSING}
    return _scalar_literal(node)


def _scalar_literal(node: ValueNode) -> Any:
    if isinstance(node, NullValueNode):
        return None
    if isinstance(node, IntValueNode):
        return int(node.value) if len(node.value) <= LONGEST_INT else float(node.value)
    if isinstance(node, FloatValueNode):
        return float(node.value)
    value: Any = node.value  # type: ignore[attr-defined]  # strings, enums and booleans
    return bool(value) if isinstance(node, BooleanValueNode) else value


LONGEST_INT = 100


def fitted(value: Any, type_: GraphQLInputType, note: Note) -> Any:
    """A JSON value as one of `type_`, as near as it can be; None where it cannot be one.

    Fields that the type does not have are left out and noted.
    """
    if isinstance(type_, GraphQLNonNull):  # only the directives' own; see sdl.build
        return fitted(value, type_.of_type, note) or False
    if value is None:
        return None
    if isinstance(type_, GraphQLList):
        items = value if isinstance(value, list) else [value]
        return [fitted(item, type_.of_type, note) for item in items]
    if isinstance(type_, GraphQLInputObjectType):
        return _fitted_object(value, type_, note)
    if isinstance(type_, GraphQLEnumType):
        return value if isinstance(value, str) else None
    return _SCALARS.get(type_.name, _json)(value)


def _fitted_object(value: Any, type_: GraphQLInputObjectType, note: Note) -> dict[str, Any]:
    fields = type_.fields
    kept = {}
    for name, item in value.items() if isinstance(value, dict) else ():
        if name in fields:
            kept[name] = fitted(item, fields[name].type, note)
        else:
            note("input", f"{type_.name}.{name}")
    return kept


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _integer(value: Any) -> int | None:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value) if len(value) <= LONGEST_INT else None
        except ValueError:
            return None
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _float(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) or isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return bool(value) if isinstance(value, int | float) else None


def _json(value: Any) -> Any:
    return value


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "ID": _text,
    "String": _text,
    "JSONString": _text,
    "DateTime": _text,
    "Int": _integer,
    "Int64": _integer,
    "Duration": _integer,
    "Float": _float,
    "Boolean": _boolean,
}
