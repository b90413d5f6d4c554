"""The schema, put together from the parts of the modules that answer it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema, build_ast_schema, parse
from graphql.language import (
    DefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    TypeNode,
    UnionTypeDefinitionNode,
    print_ast,
)

DIRECTORY = Path(__file__).parent / "schema"

_KINDS: dict[str, Any] = {  # classes that share no constructor
    "object_type": ObjectTypeDefinitionNode,
    "interface_type": InterfaceTypeDefinitionNode,
    "input_object_type": InputObjectTypeDefinitionNode,
    "enum_type": EnumTypeDefinitionNode,
    "union_type": UnionTypeDefinitionNode,
    "scalar_type": ScalarTypeDefinitionNode,
}
_PARTS_OF_TYPES = ("fields", "values", "types", "interfaces")


class SchemaConflict(Exception):
    """Two parts of the schema say different things of one name."""


def build(names: Iterable[str]) -> GraphQLSchema:
    """The schema of `schema/<name>.graphql` for all `names`.

    A type may be said in several parts, with or without `extend`: it has the fields of all of them. Nothing
    is required in the result: a client may leave out what it wants, and one null answers one field only.

    Raises:
        SchemaConflict: parts contradict each other.
        GraphQLError: a part is no SDL, or a type is missing.
    """
    definitions: dict[str, DefinitionNode] = {}
    for name in names:
        document = parse((DIRECTORY / f"{name}.graphql").read_text(encoding="utf-8"), no_location=True)
        for definition in document.definitions:
            _merge(definitions, definition)
    return build_ast_schema(DocumentNode(definitions=tuple(definitions.values())))


def _merge(definitions: dict[str, DefinitionNode], node: Any) -> None:  # the library's nodes share no type
    kind = _KINDS.get(node.kind.removesuffix("_definition").removesuffix("_extension"))
    if kind is None:
        raise SchemaConflict(f"{node.kind} has no place in a part of the schema")
    name = node.name.value
    known = definitions.get(name)
    if known is not None and type(known) is not kind:
        raise SchemaConflict(f"{name} is defined as two kinds of type")
    parts = {part: _joined(name, known, node, part) for part in _PARTS_OF_TYPES if hasattr(node, part)}
    definitions[name] = kind(name=node.name, **parts)


def _joined(type_name: str, known: Any, node: Any, part: str) -> tuple[Any, ...]:
    """Entries of both, in the order of their first mention."""
    entries = {entry.name.value: entry for entry in getattr(known, part, None) or ()}
    for entry in getattr(node, part) or ():
        entry = _nullable(entry)
        name = entry.name.value
        if name in entries and print_ast(entries[name]) != print_ast(entry):
            raise SchemaConflict(f"{type_name}.{name} is defined in two ways")
        entries[name] = entry
    return tuple(entries.values())


def _nullable(entry: Any) -> Any:
    if isinstance(entry, FieldDefinitionNode):
        arguments = tuple(_nullable(argument) for argument in entry.arguments or ())
        return FieldDefinitionNode(name=entry.name, type=_without_bang(entry.type), arguments=arguments)
    if isinstance(entry, InputValueDefinitionNode):
        return InputValueDefinitionNode(
            name=entry.name, type=_without_bang(entry.type), default_value=entry.default_value
        )
    return entry


def _without_bang(node: TypeNode) -> NamedTypeNode | ListTypeNode:
    if isinstance(node, NonNullTypeNode):
        node = node.type
    if isinstance(node, ListTypeNode):
        return ListTypeNode(type=_without_bang(node.type))
    assert isinstance(node, NamedTypeNode)  # noqa: S101  # the last kind of type there is
    return node
