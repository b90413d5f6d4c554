"""How refusals and faults of resolvers are answered."""

from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import redis

from runhue_server.gateway import engine as engine_module
from runhue_server.gateway import sdl
from runhue_server.gateway.context import Context
from runhue_server.gateway.engine import Answer, BrokenPart, Engine
from runhue_server.gateway.fields import Fields
from runhue_server.gateway.sdl import SchemaConflict
from runhue_server.intake.problems import InboxFull, RunDeleted, SequenceGap
from runhue_server.web.problems import Forbidden, Invalid, NotFound, Unavailable

NO_CONTEXT = cast("Context", None)  # the resolvers here do without


def answered(error: Exception, query: str = "{ viewer { id } }") -> Answer:
    """The answer when the resolver of `viewer` raises."""
    base, more = Fields("viewer"), Fields("projects")

    @base.answers("Query", "viewer")
    def viewer(_source: None, _context: Context) -> None:
        raise error

    engine = Engine([base, more])
    return engine.execute(engine.read(query, None), {}, NO_CONTEXT, lambda _kind, _name: None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Invalid("no", field="name"), 400),
        (NotFound("no"), 404),
        (Forbidden("no"), 403),
        (RunDeleted(), 400),
        (SequenceGap(5, 3), 400),
        (psycopg.errors.InvalidTextRepresentation("no"), 400),
        (InboxFull("full", 3), 429),
        (Unavailable(), 503),
        (psycopg.OperationalError("away"), 503),
        (redis.ConnectionError("away"), 503),
    ],
)
def test_status_is_one_that_clients_understand(error: Exception, status: int) -> None:
    """What is for good is 400, 401, 403 or 404, what passes is 429 or 503; old clients retry all others."""
    answer = answered(error)

    assert answer.status == status
    assert answer.body["errors"][0]["extensions"]["code"]
    assert ("Retry-After" in answer.headers) is (status in (429, 503))


@pytest.mark.parametrize("error", [Unavailable(), psycopg.OperationalError("away"), InboxFull("full", 3)])
def test_what_passes_refuses_the_whole_request(error: Exception) -> None:
    """Also with other fields beside it: the client is to ask for all of it again."""
    assert answered(error, "{ viewer { id } serverInfo { features { name } } }").status in (429, 503)


def test_a_fault_of_the_server_is_no_5xx() -> None:
    """Clients ask again for minutes after a 5xx, which helps against no bug: 200 with `errors`."""
    answer = answered(ZeroDivisionError("secret of the server"))

    assert answer.status == 200
    assert answer.body["data"] == {"viewer": None}
    assert answer.body["errors"][0]["extensions"]["code"] == "internal_error"
    assert "secret" not in str(answer.body)


def test_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages within pages multiply; what no client reads at once is refused for good."""
    monkeypatch.setattr(engine_module, "MOST_VALUES", 100)
    base, more = Fields("viewer"), Fields("projects")
    base.answers("Query", "users")(lambda _s, _c: {"edges": [{"node": {"id": str(at)}} for at in range(90)]})
    engine = Engine([base, more])

    answer = engine.execute(
        engine.read("{ users { edges { node { id } } } }", None), {}, NO_CONTEXT, lambda _kind, _name: None
    )

    assert answer.status == 400
    assert answer.body["errors"][0]["extensions"]["limit"] == 100


def test_resolvers_must_fit_the_schema() -> None:
    """A field or an argument that the schema does not have is found when the server starts."""
    for field, resolver in (("hue", lambda _source, _context: None), ("user", lambda _s, _c, hue=1: hue)):
        part = Fields("viewer")
        part.answers("Query", field)(resolver)
        with pytest.raises(BrokenPart):
            Engine([part, Fields("projects")])


@pytest.mark.parametrize(
    "second",
    [
        "extend type Query { a: Int }",
        "input Query { b: Int }",
        "directive @a on FIELD",
        "type Query { a(x: Int): ID }",
    ],
)
def test_parts_that_contradict_each_other(
    second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two modules that say different things of one name are found when the server starts."""
    monkeypatch.setattr(sdl, "DIRECTORY", tmp_path)
    (tmp_path / "first.graphql").write_text("type Query { a: ID }")
    (tmp_path / "second.graphql").write_text(second)

    with pytest.raises(SchemaConflict):
        sdl.build(["first", "second"])


def test_parts_add_to_each_others_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A type has the fields of all parts, in whichever order they come; nothing is required."""
    monkeypatch.setattr(sdl, "DIRECTORY", tmp_path)
    (tmp_path / "first.graphql").write_text("extend type Query { b(n: [Int!]!): [Run!]! }")
    (tmp_path / "second.graphql").write_text("type Query { a: ID! b(n: [Int]): [Run] } type Run { id: ID! }")

    schema: Any = sdl.build(["first", "second"])

    assert [str(field.type) for field in schema.query_type.fields.values()] == ["[Run]", "ID"]
    assert str(schema.query_type.fields["b"].args["n"].type) == "[Int]"
