"""Documents and values of clients, read as they were meant."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pytest
from graphql import GraphQLSchema, build_schema
from hypothesis import given
from hypothesis import strategies as st

from runhue_server.gateway import leniency
from runhue_server.gateway.context import Context
from runhue_server.gateway.engine import Engine
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.leniency import BadQuery, fitted

PART = Fields("projects")
BASE = Fields("viewer")
NO_CONTEXT = cast("Context", None)  # the resolvers here do without

SCALARS: dict[str, list[tuple[object, object]]] = {
    "Int": [
        (5, 5),
        ("5", 5),
        (5.0, 5),
        (True, 1),
        ("five", None),
        (5.5, None),
        ([1], None),
        ("9" * 200, None),
    ],
    "Float": [(0.1, 0.1), ("0.1", 0.1), (3, 3.0), ("x", None), ({}, None), (10**400, None)],
    "Boolean": [(True, True), ("true", True), ("FALSE", False), (0, False), ("yes", None), ([], None)],
    "String": [("a", "a"), (5, "5"), (0.5, "0.5"), (True, "true"), ({"a": 1}, '{"a": 1}')],
    "ID": [("UnVuOjE=", "UnVuOjE="), (12, "12")],
    "JSONString": [('{"a":NaN}', '{"a":NaN}'), ({"a": [1]}, '{"a": [1]}')],
    "JSON": [({"a": [1]}, {"a": [1]}), ("a", "a")],
}


@BASE.answers("Query", "viewer")
def viewer(_source: None, _context: Context) -> dict[str, Any]:
    return {"id": "1", "name": "ann", "entity": "main", "defaultEntity": {"id": "2", "name": "main"}}


@PART.answers("Query", "project")
def project(_source: None, _context: Context, **arguments: Any) -> dict[str, Any]:  # JSON
    return {"name": json.dumps(arguments), "entity": {"name": "main"}}


@PART.answers("Mutation", "upsertModel")
def upsert_model(_source: None, _context: Context, input: Any = None) -> dict[str, Any]:  # noqa: A002  # JSON
    return {"project": {"name": json.dumps(input)}}


ENGINE = Engine([BASE, PART])


def answer(query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:  # JSON
    """`data` of the answer, which has no errors."""
    operation = ENGINE.read(query, None)
    result = ENGINE.execute(operation, variables or {}, NO_CONTEXT, lambda _kind, _name: None)
    assert result.status == 200
    assert "errors" not in result.body
    data: dict[str, Any] = result.body["data"]
    return data


def arguments_of(query: str, variables: Mapping[str, Any] | None = None) -> Any:  # JSON
    """What the resolver of `project` was given."""
    return json.loads(answer(query, variables)["project"]["name"])


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ('{ project(name: "a") { name } }', {}, {"name": "a"}),
        ("query($n: String!) { project(name: $n) { name } }", {"n": "a"}, {"name": "a"}),
        ("query($n: String!) { project(name: $n) { name } }", {}, {}),
        ("query($n: String!) { project(name: $n) { name } }", {"n": None}, {"name": None}),
        ('query($n: String = "d") { project(name: $n) { name } }', {}, {"name": "d"}),
        ('query($n: String = "d") { project(name: $n) { name } }', {"n": "a"}, {"name": "a"}),
        ("query($n: Hue!) { project(name: $n) { name } }", {"n": 7}, {"name": "7"}),
        ("{ project(name: $undeclared) { name } }", {"undeclared": "a"}, {"name": "a"}),
        ("{ project(name: BARE, tint: 3) { name } }", {}, {"name": "BARE"}),
        ("query($n: [Int]) { project(name: $n) { name } }", {"n": [1, 2]}, {"name": "[1, 2]"}),
    ],
)
def test_arguments_arrive_as_meant(query: str, variables: dict[str, Any], expected: dict[str, Any]) -> None:
    """Whatever type a client declares, values are of our schema's type; what did not come is left out."""
    assert arguments_of(query, variables) == expected


@pytest.mark.parametrize(
    ("query", "variables", "expected"),
    [
        ('mutation { upsertModel(input: {name: "a", hue: 3}) { project { name } } }', {}, {"name": "a"}),
        (
            """mutation($n: String, $d: String) {
              upsertModel(input: {name: $n, description: $d, access: null}) { project { name } } }""",
            {"n": 5},
            {"name": "5", "access": None},
        ),
        (
            "mutation($input: Anything!) { upsertModel(input: $input) { project { name } } }",
            {"input": {"name": "a", "views": {"v": 1}, "hue": {}}},
            {"name": "a", "views": '{"v": 1}'},
        ),
        ("mutation($input: X) { upsertModel(input: $input) { project { name } } }", {"input": "odd"}, {}),
        ("mutation { upsertModel { project { name } } }", {}, None),
    ],
)
def test_inputs_arrive_as_meant(query: str, variables: dict[str, Any], expected: object) -> None:
    """Objects keep the fields that their type has, whether they come as literals or as variables."""
    assert json.loads(answer(query, variables)["upsertModel"]["project"]["name"]) == expected


@pytest.mark.parametrize(
    ("type_name", "value", "expected"),
    [(name, value, expected) for name, cases in SCALARS.items() for value, expected in cases],
)
def test_values_fit_their_type(type_name: str, value: object, expected: object) -> None:
    """A value becomes one of the type, as near as it can be, and null where it cannot."""
    type_ = ENGINE.schema.get_type(type_name) or scalars().get_type(type_name)
    found = fitted(value, cast("Any", type_), lambda _kind, _name: None)  # a scalar, by the table

    assert found == expected
    assert type(found) is type(expected)


def scalars() -> GraphQLSchema:
    """A schema that uses every scalar of the language."""
    return build_schema("type Query { a(i: Int, f: Float, b: Boolean, s: String, d: ID): ID }")


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ("@include(if: true)", True),
        ("@include(if: $yes)", True),
        ("@include(if: $no)", False),
        ("@include(if: $missing)", False),
        ('@include(if: "true")', True),
        ("@skip(if: $yes)", False),
        ("@skip(if: $missing)", True),
        ("@skip", True),
        ("@hue(of: $yes)", True),
    ],
)
def test_conditions_are_kept(condition: str, shown: bool) -> None:
    """`@include` and `@skip` hold for fields and fragments, other directives for nothing."""
    variables = {"yes": True, "no": False}
    for query in (
        f"{{ viewer {{ id name {condition} }} }}",
        f"{{ viewer {{ id ... {condition} {{ name }} }} }}",
        f"{{ viewer {{ id ...F {condition} }} }} fragment F on User {{ name }}",
    ):
        assert ("name" in answer(query, variables)["viewer"]) is shown


def test_fragments_are_written_out() -> None:
    """Fragments of fragments, of the same type or of none, merge into one answer."""
    data = answer(
        "{ viewer { ...A ...B ... { entity } } }"
        " fragment A on User { id ...B } fragment B on User { name defaultEntity { ...E } }"
        " fragment E on Entity { name }"
    )

    assert data == {"viewer": {"id": "1", "name": "ann", "defaultEntity": {"name": "main"}, "entity": "main"}}


def test_a_fragment_within_itself_is_refused() -> None:
    """It has no end, so it is over the limit of depth."""
    with pytest.raises(BadQuery, match="nested"):
        ENGINE.read("{ viewer { ...F } } fragment F on User { defaultEntity { user { ...F } } }", None)


def test_fragments_that_multiply_are_refused() -> None:
    """A small document that means millions of fields is over the limit of fields."""
    doubling = " ".join(
        f"fragment F{number} on User {{ ...F{number + 1} ... on User {{ ...F{number + 1} }} }}"
        for number in range(18)
    )
    with pytest.raises(BadQuery, match="fields"):
        ENGINE.read(f"{{ viewer {{ ...F0 }} }} {doubling} fragment F18 on User {{ id }}", None)


def test_paths_go_by_field_names() -> None:
    """An alias does not hide what is asked for; fragments are looked into."""
    operation = ENGINE.read(
        "{ viewer: models { x: edges { node { id } } } ...F } fragment F on Query { project { name } }", None
    )

    assert operation.paths == {"models", "models.edges", "models.edges.node", "project", "project.name"}


NAMES = st.sampled_from(
    ["id", "name", "entity", "defaultEntity", "viewer", "project", "mood", "__typename", "edges"]
)


def selections(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A set of selections, some with sets below them."""
    field = st.builds(
        lambda name, alias, argument, below: f"{alias}{name}{argument} {below}",
        NAMES,
        st.sampled_from(["", "", "a: ", "name: "]),
        st.sampled_from(["", "", "(name: $v)", "(hue: [{a: $v}])", "(name: {a: 1}, input: null)"]),
        st.one_of(st.just(""), children),
    )
    spread = st.builds(
        lambda head, below: f"{head} {below}",
        st.sampled_from(
            ["...", "... on User", "... on Query", "... on Robot", "... on Mood", "... @skip(if: $v)"]
        ),
        children,
    )
    return st.lists(st.one_of(field, spread), min_size=1, max_size=4).map(
        lambda parts: "{ " + " ".join(parts) + " }"
    )


@given(
    st.recursive(st.just("{ id }"), selections, max_leaves=12),
    st.dictionaries(
        st.sampled_from(["v", "w"]), st.one_of(st.none(), st.booleans(), st.integers(), st.text())
    ),
)
def test_any_document_is_answered(document: str, variables: dict[str, Any]) -> None:
    """No mix of known and unknown fields, arguments, fragments and variables makes the server fail."""
    operation = leniency.read(ENGINE.schema, document, None)
    result = ENGINE.execute(operation, variables, NO_CONTEXT, lambda _kind, _name: None)

    assert result.status == 200
    refused = {error["extensions"]["code"] for error in result.body.get("errors", ())}
    assert refused <= {"unsupported"}
    json.dumps(result.body, allow_nan=False)
